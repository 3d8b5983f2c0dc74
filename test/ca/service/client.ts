import { createSecureContext } from 'node:tls';
import { create } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, Server, type ServiceError } from '@grpc/grpc-js';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from '#gen/gatehouse/ca/v1/istio_ca_pb.js';
import { grpcListener } from '../../../ca/service/http2/listener.ts';
import { type ServerTls, type ServerTlsOptions, systemEvery } from '../../../ca/tls/credentials.ts';
import type { Authority } from '../../../ca/authority.ts';
import { addCertificateService, type CertificateServiceOptions } from '../../../ca/service/service.ts';
import type { World } from '../world.ts';

export const PATH = '/istio.v1.auth.IstioCertificateService/CreateCertificate';

export interface RunningService {
  readonly port: number;
  readonly server: Server;
  readonly tls: ServerTls;
  close(): void;
}

/** The certificate service on 127.0.0.1, over TLS, as the control plane runs it. */
export async function serve(
  { log }: World,
  authority: Authority,
  options: Partial<CertificateServiceOptions> & { tls?: Partial<ServerTlsOptions>; own?: boolean } = {},
): Promise<RunningService> {
  const server = new Server({ 'grpc.enable_channelz': 0 });
  const plain = addCertificateService(server, { authority, log, ...options });
  const tls = await authority.serverCredentials({
    dnsNames: ['gatehouse', 'localhost'],
    ipAddresses: ['127.0.0.1'],
    ...options.tls,
  });
  // Without connections of our own, calls take the way through grpc-js.
  const calls = options.own === false ? { ...plain, isOurs: () => false } : plain;
  const listener = grpcListener({ tls, server, calls, concurrentStreams: 1000, every: systemEvery });
  const port = await listener.listen('127.0.0.1', 0);
  return {
    port,
    server,
    tls,
    close() {
      tls.close();
      listener.close();
      server.forceShutdown();
    },
  };
}

export interface ClientOptions {
  readonly rootsPem: string;
  readonly certPem?: string;
  readonly keyPem?: string;
  readonly serverName?: string;
}

export function connect(port: number, options: ClientOptions): Client {
  const context = createSecureContext({
    ca: options.rootsPem,
    ...(options.certPem !== undefined && { cert: options.certPem }),
    ...(options.keyPem !== undefined && { key: options.keyPem }),
  });
  return new Client(`127.0.0.1:${port}`, credentials.createFromSecureContext(context), {
    'grpc.ssl_target_name_override': options.serverName ?? 'gatehouse',
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
  });
}

export type Answer =
  { readonly ok: true; readonly certChain: readonly string[] } | { readonly ok: false; readonly error: ServiceError };

export interface Ask {
  readonly csr: string;
  readonly ttl?: number;
  readonly token?: string;
  readonly authorization?: readonly string[];
}

export function createCertificate(client: Client, ask: Ask): Promise<Answer> {
  const metadata = new Metadata();
  if (ask.token !== undefined) metadata.set('authorization', `Bearer ${ask.token}`);
  for (const value of ask.authorization ?? []) metadata.add('authorization', value);
  const request = create(IstioCertificateRequestSchema, { csr: ask.csr, validityDuration: BigInt(ask.ttl ?? 3600) });
  return send(client, Buffer.from(toBinary(IstioCertificateRequestSchema, request)), metadata);
}

export function send(client: Client, message: Buffer, metadata = new Metadata()): Promise<Answer> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      PATH,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => fromBinary(IstioCertificateResponseSchema, bytes).certChain,
      message,
      metadata,
      { deadline: Date.now() + 10_000 },
      (error, certChain) => resolve(error === null ? { ok: true, certChain: certChain ?? [] } : { ok: false, error }),
    );
  });
}
