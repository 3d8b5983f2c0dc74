import { type FramedMessage, framedMessage, PREFIX } from './framed.ts';

// istio.v1.auth.IstioCertificateResponse.cert_chain: field 1, length-delimited.
const CERT_CHAIN = (1 << 3) | 2;

/** An IstioCertificateResponse as a framed message of gRPC, in one buffer; test/ca/service reads it with the generated code. */
export function encodeResponse(certChain: readonly string[]): FramedMessage {
  const lengths = certChain.map((pem) => Buffer.byteLength(pem));
  const total = lengths.reduce((sum, length) => sum + 1 + varintLength(length) + length, 0);
  const framed = framedMessage(total);
  const { bytes } = framed;
  let at = PREFIX;
  for (const [index, pem] of certChain.entries()) {
    bytes[at++] = CERT_CHAIN;
    let rest = lengths[index] ?? 0;
    for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
    bytes[at++] = rest;
    at += bytes.write(pem, at);
  }
  return framed;
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) length++;
  return length;
}
