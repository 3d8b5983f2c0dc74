import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { JsonObject } from '@bufbuild/protobuf';
import { IstioCertificateRequestSchema } from '#gen/gatehouse/ca/v1/istio_ca_pb.js';

export interface CertificateRequest {
  readonly csr: string;
  readonly validityDuration: bigint;
  readonly metadata?: JsonObject | undefined;
}

// Field numbers and wire types of IstioCertificateRequest.
const [CSR, VALIDITY_DURATION] = [(1 << 3) | 2, 3 << 3];

/**
 * An IstioCertificateRequest; undefined when the bytes are none. One of only a request and a duration, as agents send it, is read
 * directly; all others by the generated code.
 */
export function decodeRequest(message: Uint8Array): CertificateRequest | undefined {
  try {
    return plainRequest(message) ?? fromBinary(IstioCertificateRequestSchema, message);
  } catch {
    return undefined;
  }
}

function plainRequest(message: Uint8Array): CertificateRequest | undefined {
  const reader = new BinaryReader(message);
  let [csr, validityDuration] = ['', 0n];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === CSR) csr = reader.string();
    else if (tag === VALIDITY_DURATION) validityDuration = BigInt(reader.int64());
    else return undefined;
  }
  return reader.pos === reader.len ? { csr, validityDuration } : undefined;
}
