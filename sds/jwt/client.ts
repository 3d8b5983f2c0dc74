import { create } from '@bufbuild/protobuf';
import { type Client, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { CreateJwtSvidRequestSchema, GetBundleRequestSchema, JwtService } from '#gen/gatehouse/ca/v1/jwt_pb.js';
import { type AuthorityAddress, connect } from '../authority/client.ts';
import { retryHint } from '../authority/retry-hint.ts';
import { rpc } from '../grpc.ts';
import type { JwtAuthority, JwtFailure } from './authority.ts';

const CREATE = rpc(JwtService.method.createJwtSvid);
const BUNDLE = rpc(JwtService.method.getBundle);

interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** Calls gatehouse.ca.v1.JwtService over TLS, each call on a connection of its own: they are minutes apart. */
export function grpcJwtAuthority(address: AuthorityAddress): JwtAuthority {
  return {
    async create({ audience, rootsPem, client }) {
      const connected = connect(address, { rootsPem, client });
      if (connected.kind === 'failed') return connected;
      const request = create(CreateJwtSvidRequestSchema, { audience: [...audience] });
      const answer = await unary(connected.client, CREATE, request, address.timeoutMs);
      return 'failure' in answer ? answer.failure : { kind: 'signed', svid: answer.response.svid };
    },
    async bundle(rootsPem) {
      const connected = connect(address, { rootsPem });
      if (connected.kind === 'failed') return connected;
      const answer = await unary(connected.client, BUNDLE, create(GetBundleRequestSchema), address.timeoutMs);
      if ('failure' in answer) return answer.failure;
      const { trustDomain, jwks, refreshHintSeconds, federated } = answer.response;
      return {
        kind: 'bundle',
        trustDomain,
        jwks: Buffer.from(jwks).toString(),
        refreshSeconds: Number(refreshHintSeconds),
        federated: new Map(Object.entries(federated).map(([domain, set]) => [domain, Buffer.from(set).toString()])),
      };
    },
  };
}

function unary<Request, Response>(
  client: Client,
  method: Method<Request, Response>,
  request: Request,
  timeoutMs: number,
): Promise<{ readonly response: Response } | { readonly failure: JwtFailure }> {
  return new Promise((resolve) => {
    const options = { deadline: new Date(Date.now() + timeoutMs) };
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      new Metadata(),
      options,
      (error: ServiceError | null, response?: Response) => {
        client.close();
        if (response !== undefined && error === null) resolve({ response });
        else resolve({ failure: failure(error) });
      },
    );
  });
}

function failure(error: ServiceError | null): JwtFailure {
  if (error === null) return { kind: 'failed', code: 'INTERNAL', reason: 'empty answer' };
  const code = status[error.code] ?? 'UNKNOWN';
  if (error.code === status.UNIMPLEMENTED) return { kind: 'failed', code, reason: 'the authority does not sign JWT-SVIDs' };
  return { kind: 'failed', code, reason: error.details.slice(0, 500), hint: retryHint(error.metadata) };
}
