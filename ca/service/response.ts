import { varintSize, writeVarint } from '../protobuf/varint.ts';
import { type FramedMessage, framedMessage, PREFIX } from './framed.ts';

// istio.v1.auth.IstioCertificateResponse.cert_chain: field 1, length-delimited.
const CERT_CHAIN = (1 << 3) | 2;

/** An IstioCertificateResponse as a framed message of gRPC, in one buffer; test/ca/service reads it with the generated code. */
export function encodeResponse(certChain: readonly string[]): FramedMessage {
  const lengths = certChain.map((pem) => Buffer.byteLength(pem));
  const total = lengths.reduce((sum, length) => sum + 1 + varintSize(length) + length, 0);
  const framed = framedMessage(total);
  const { bytes } = framed;
  let at = PREFIX;
  for (const [index, pem] of certChain.entries()) {
    bytes[at++] = CERT_CHAIN;
    at = writeVarint(bytes, at, lengths[index] ?? 0);
    at += bytes.write(pem, at);
  }
  return framed;
}
