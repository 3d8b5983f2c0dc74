// Authorizers as a user would run them: allow whatever carries `x-ext-authz: allow`, and connections of an account named `a` or from a
// trusted address.
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type sendUnaryData, Server, ServerCredentials, type ServerUnaryCall } from '@grpc/grpc-js';
import {
  type CheckRequest,
  CheckRequestSchema,
  type CheckResponse,
  CheckResponseSchema,
} from '#gen/envoy/service/auth/v3/external_auth_pb.js';
import type { AttributeContext_Peer } from '#gen/envoy/service/auth/v3/attribute_context_pb.js';
import { StatusCode } from '#gen/envoy/type/v3/http_status_pb.js';

/** A question over HTTP, as the authorizer got it. */
export interface HttpCheck {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface HttpAuthorizer {
  readonly port: number;
  /** Emptied by whoever wants to see only what comes next. */
  readonly seen: HttpCheck[];
  stop(): Promise<void>;
}

/** What a trusted caller's address ends with. */
export const TRUSTED_CALLER = '.77';

const PERMISSION_DENIED = 7;

export const DENIED_BY_AUTHORIZER = 'denied by the authorizer';

/** Answers that carry headers, so that a test can see which go where. */
const ANSWER = Object.freeze({ 'x-authz-result': 'told', 'x-authz-secret': 'kept', 'x-other': 'other' });

export async function startHttpAuthorizer(address: string, port = 0): Promise<HttpAuthorizer> {
  const seen: HttpCheck[] = [];
  const open = new Set<Socket>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      seen.push({ method, path: url, headers, body: Buffer.concat(chunks).toString() });
      const allowed = headers['x-ext-authz'] === 'allow';
      response.writeHead(allowed ? 200 : 403, ANSWER).end(allowed ? '' : DENIED_BY_AUTHORIZER);
    });
  });
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  server.listen(port, address);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    stop: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

export interface GrpcAuthorizer {
  readonly port: number;
  readonly seen: CheckRequest[];
  stop(): Promise<void>;
}

function isTrusted(source: AttributeContext_Peer | undefined): boolean {
  const at = source?.address?.address;
  return (
    source?.principal.endsWith('/sa/a') === true || (at?.case === 'socketAddress' && at.value.address.endsWith(TRUSTED_CALLER))
  );
}

function answer(request: CheckRequest): CheckResponse {
  const { source, request: asked } = request.attributes ?? {};
  const http = asked?.http;
  const allowed = http === undefined ? isTrusted(source) : http.headers['x-ext-authz'] === 'allow';
  const headers = Object.entries(ANSWER).map(([key, value]) => ({ header: { key, value } }));
  return create(CheckResponseSchema, {
    status: { code: allowed ? 0 : PERMISSION_DENIED },
    httpResponse: allowed
      ? { case: 'okResponse', value: { headers } }
      : {
          case: 'deniedResponse',
          value: { status: { code: StatusCode.Forbidden }, headers, body: DENIED_BY_AUTHORIZER },
        },
  });
}

export async function startGrpcAuthorizer(address: string, port = 0): Promise<GrpcAuthorizer> {
  const seen: CheckRequest[] = [];
  const server = new Server();
  const method = {
    path: '/envoy.service.auth.v3.Authorization/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: (message: CheckRequest) => Buffer.from(toBinary(CheckRequestSchema, message)),
    requestDeserialize: (bytes: Buffer) => fromBinary(CheckRequestSchema, bytes),
    responseSerialize: (message: CheckResponse) => Buffer.from(toBinary(CheckResponseSchema, message)),
    responseDeserialize: (bytes: Buffer) => fromBinary(CheckResponseSchema, bytes),
  };
  server.addService(
    { check: method },
    {
      check: (call: ServerUnaryCall<CheckRequest, CheckResponse>, done: sendUnaryData<CheckResponse>) => {
        seen.push(call.request);
        done(null, answer(call.request));
      },
    },
  );
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${address}:${port}`, ServerCredentials.createInsecure(), (error, at) =>
      error === null ? resolve(at) : reject(error),
    );
  });
  return {
    port: bound,
    seen,
    stop: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}
