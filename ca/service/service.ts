import { type sendUnaryData, type Server, type ServerUnaryCall, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { IstioCertificateService } from '#gen/gatehouse/ca/v1/istio_ca_pb.js';
import type { Authority } from '../authority.ts';
import { LARGEST_REQUEST } from '../csr/verify.ts';
import { rawCall, type RawCall } from './call.ts';
import { type FramedMessage, messageOf } from './framed.ts';
import type { UnaryCalls } from './http2/unary.ts';
import { isPlain } from './http2/stream.ts';
import { type FairQueue, fairQueue } from './queue.ts';
import type { RateLimit } from './rate-limit.ts';
import { type CertificateRequest, decodeRequest } from './request.ts';
import { encodeResponse } from './response.ts';
import { bytesRpc } from './rpc.ts';
import { overloaded, rpcError, type RpcError } from './status.ts';

export interface CertificateServiceOptions {
  readonly authority: Pick<Authority, 'issue'>;
  readonly log: Logger;
  /** Requests worked on at once; default 64. */
  readonly concurrency?: number;
  /**
   * Requests waiting at most, over all callers; default 6,000: the workloads of a large mesh, all restarted at once. More are answered
   * RESOURCE_EXHAUSTED with a retry hint.
   */
  readonly queue?: number;
  /** How often an address may ask; default: as often as its turn comes. */
  readonly limit?: RateLimit | undefined;
}

// The CSR and a little metadata.
const LARGEST_MESSAGE = LARGEST_REQUEST + 16 * 1024;
// Bytes, not messages: the size is looked at before decoding, and a message that does not decode is the caller's error, not ours.
const CREATE = bytesRpc(IstioCertificateService.method.createCertificate);

/**
 * Adds istio.v1.auth.IstioCertificateService to a server. Messages over the server's `grpc.max_receive_message_length` are answered by
 * grpc-js itself; over 80 KiB by us, before they are decoded.
 * @returns the same calls for a listener, which answers the plain ones without grpc-js
 */
export function addCertificateService(server: Server, options: CertificateServiceOptions): UnaryCalls {
  const { concurrency = 64, queue: waiting = 6000 } = options;
  const queue = fairQueue({ concurrency, waiting, clock: () => performance.now(), random: Math.random });
  const method = async (call: RawCall): Promise<FramedMessage | RpcError> => {
    try {
      return await handle(call, queue, options);
    } catch (error) {
      options.log.error({ err: error }, 'a certificate request failed; this is a bug');
      return { code: status.INTERNAL, details: 'internal error' };
    }
  };
  server.addService(
    { CreateCertificate: CREATE },
    {
      CreateCertificate: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
        void method(rawCall(call)).then((answer) => ('bytes' in answer ? callback(null, messageOf(answer)) : callback(answer))),
    },
  );
  return { method, isOurs: (head) => head.path === CREATE.path && isPlain(head), largest: LARGEST_MESSAGE };
}

async function handle(
  call: RawCall,
  queue: FairQueue,
  { authority, log, limit }: CertificateServiceOptions,
): Promise<FramedMessage | RpcError> {
  const wait = limit?.(sourceOf(call)) ?? 0;
  if (wait > 0) return overloaded(wait, 'this address asks too often');
  const turn = await queue.enter(sourceOf(call), call.patience);
  if (turn.kind === 'full') return overloaded(turn.retryAfterMs);
  if (turn.kind === 'cancelled') return { code: status.CANCELLED, details: 'the caller gave up' };
  try {
    const request = call.message.length > LARGEST_MESSAGE ? undefined : decodeRequest(call.message);
    if (request === undefined) return { code: status.INVALID_ARGUMENT, details: 'the message is too large or malformed' };
    const result = await authority.issue({
      csr: request.csr,
      ttlSeconds: Number(request.validityDuration),
      authorization: call.authorization,
      call,
      ...impersonation(request),
    });
    if (!result.ok) {
      log.info({ peer: call.peer, ...result.refusal }, 'certificate refused');
      return rpcError(result.refusal);
    }
    const { spiffeId, serial, notAfter, certChain } = result.value;
    // At debug: the issuance log has it, and a line for each costs more than building the certificate.
    log.debug({ spiffeId, serial, notAfter }, 'certificate issued');
    return encodeResponse(certChain);
  } finally {
    turn.leave();
  }
}

/** The fact that a node proxy adds to name the workload it asks for, as Istio's name it. */
const IMPERSONATED = 'ImpersonatedIdentity';

function impersonation({ metadata }: CertificateRequest): { readonly impersonate?: string } {
  const asked = metadata !== undefined && Object.hasOwn(metadata, IMPERSONATED) ? metadata[IMPERSONATED] : undefined;
  if (asked === undefined || asked === '' || asked === null) return {};
  // Anything but a text is no identity, and must not count as a request without one.
  return { impersonate: typeof asked === 'string' ? asked : 'malformed' };
}

/** The client's address without its port: connections are cheap, addresses less so. */
function sourceOf(call: RawCall): string {
  return call.peer.replace(/:\d+$/, '');
}
