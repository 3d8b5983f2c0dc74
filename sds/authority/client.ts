import { createSecureContext } from 'node:tls';
import { create } from '@bufbuild/protobuf';
import { Client, type ClientOptions, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { IstioCertificateRequestSchema, IstioCertificateService } from '#gen/gatehouse/ca/v1/istio_ca_pb.js';
import { rpc } from '../grpc.ts';
import { retryHint } from './retry-hint.ts';
import { type Sign, type SigningAnswer, type SigningCall, unanswered } from './signing.ts';

const CREATE = rpc(IstioCertificateService.method.createCertificate);

export interface AuthorityAddress {
  /** `host:port`. */
  readonly target: string;
  /** The DNS name that the authority's certificate must carry. */
  readonly serverName: string;
  readonly timeoutMs: number;
}

/**
 * Calls istio.v1.auth.IstioCertificateService over TLS. Every call makes its own connection: roots and client
 * certificate are those of this moment, and calls are hours apart.
 */
export function grpcSigner(address: AuthorityAddress): Sign {
  return async (call, signal) => {
    const client = connect(address, call);
    if (client.kind === 'failed') return client;
    try {
      return await createCertificate(client.client, address, call, signal);
    } finally {
      client.client.close();
    }
  };
}

/** A channel with the roots and the client certificate of this moment. */
export function connect(
  address: AuthorityAddress,
  call: Pick<SigningCall, 'rootsPem' | 'client'>,
  options: ClientOptions = {},
): { kind: 'connected'; client: Client } | (SigningAnswer & { kind: 'failed' }) {
  try {
    const context = createSecureContext({
      ca: call.rootsPem,
      minVersion: 'TLSv1.3',
      ...(call.client && { cert: call.client.chainPem, key: call.client.key.export({ type: 'pkcs8', format: 'pem' }) }),
    });
    const client = new Client(address.target, credentials.createFromSecureContext(context), {
      'grpc.ssl_target_name_override': address.serverName,
      'grpc.default_authority': address.serverName,
      // The workload's proxy variables are not for us, nor are service configs from DNS.
      'grpc.enable_http_proxy': 0,
      'grpc.service_config_disable_resolution': 1,
      // Retries are the keeper's, with its own back-off; connections are not shared between identities.
      'grpc.enable_retries': 0,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': 512 * 1024,
      'grpc.enable_channelz': 0,
      ...options,
    });
    return { kind: 'connected', client };
  } catch (error) {
    return { kind: 'failed', code: 'INTERNAL', reason: `TLS set-up: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function createCertificate(
  client: Client,
  address: AuthorityAddress,
  call: SigningCall,
  signal: AbortSignal,
): Promise<SigningAnswer> {
  const metadata = new Metadata();
  if (call.token !== undefined) metadata.set('authorization', `Bearer ${call.token}`);
  const request = create(IstioCertificateRequestSchema, { csr: call.csr, validityDuration: BigInt(call.ttlSeconds) });
  return new Promise((resolve) => {
    const deadline = new Date(Date.now() + address.timeoutMs);
    const unary = client.makeUnaryRequest(
      CREATE.path,
      CREATE.requestSerialize,
      CREATE.responseDeserialize,
      request,
      metadata,
      { deadline },
      (error, response) => {
        signal.removeEventListener('abort', abort);
        if (response !== undefined && error === null) resolve({ kind: 'signed', certChain: response.certChain });
        else if (error?.code === status.DEADLINE_EXCEEDED) resolve(unanswered(address.timeoutMs));
        else resolve(failure(error));
      },
    );
    const abort = () => unary.cancel();
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
}

function failure(error: ServiceError | null): SigningAnswer & { kind: 'failed' } {
  if (error === null) return { kind: 'failed', code: 'INTERNAL', reason: 'empty answer' };
  return {
    kind: 'failed',
    code: status[error.code] ?? 'UNKNOWN',
    reason: error.details.slice(0, 500),
    hint: retryHint(error.metadata),
  };
}
