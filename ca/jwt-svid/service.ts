import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type sendUnaryData, type Server, type ServerUnaryCall, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import {
  type CreateJwtSvidRequest,
  CreateJwtSvidRequestSchema,
  CreateJwtSvidResponseSchema,
  GetBundleResponseSchema,
  JwtService,
} from '#gen/gatehouse/ca/v1/jwt_pb.js';
import { type FairQueue, fairQueue } from '../service/queue.ts';
import { bytesRpc } from '../service/rpc.ts';
import { overloaded, rpcError, type RpcError } from '../service/status.ts';
import type { JwtAuthority } from './authority.ts';

export interface JwtServiceOptions {
  readonly authority: { readonly jwt: Pick<JwtAuthority, 'issue' | 'bundle'> };
  readonly log: Logger;
  /** JWK Sets of other trust domains, by name. */
  readonly federated?: (() => ReadonlyMap<string, string>) | undefined;
  /** Requests worked on at once; default 64. */
  readonly concurrency?: number;
  /** Requests waiting at most, over all callers; default 2,000. */
  readonly queue?: number;
}

type Call = ServerUnaryCall<Buffer, Buffer>;

// 16 audiences of 2 KiB, and a little more.
const LARGEST_MESSAGE = 48 * 1024;

/** Adds gatehouse.ca.v1.JwtService to a server. */
export function addJwtService(server: Server, options: JwtServiceOptions): void {
  const { concurrency = 64, queue: waiting = 2000, authority, log, federated } = options;
  const queue = fairQueue({ concurrency, waiting, clock: () => performance.now(), random: Math.random });
  server.addService(
    { CreateJwtSvid: bytesRpc(JwtService.method.createJwtSvid), GetBundle: bytesRpc(JwtService.method.getBundle) },
    {
      CreateJwtSvid: (call: Call, callback: sendUnaryData<Buffer>) => {
        createJwtSvid(call, queue, options).then(
          (answer) => (Buffer.isBuffer(answer) ? callback(null, answer) : callback(answer)),
          (error: unknown) => {
            log.error({ err: error }, 'a request for a JWT-SVID failed; this is a bug');
            callback({ code: status.INTERNAL, details: 'internal error' });
          },
        );
      },
      GetBundle: (_call: Call, callback: sendUnaryData<Buffer>) => {
        const { trustDomain, keys, refreshHintSeconds } = authority.jwt.bundle();
        const response = create(GetBundleResponseSchema, {
          trustDomain,
          jwks: Buffer.from(JSON.stringify({ keys })),
          refreshHintSeconds: BigInt(refreshHintSeconds),
          federated: Object.fromEntries([...(federated?.() ?? [])].map(([domain, jwks]) => [domain, Buffer.from(jwks)])),
        });
        callback(null, Buffer.from(toBinary(GetBundleResponseSchema, response)));
      },
    },
  );
}

async function createJwtSvid(call: Call, queue: FairQueue, { authority, log }: JwtServiceOptions): Promise<Buffer | RpcError> {
  const source = call.getPeer().replace(/:\d+$/, '');
  const turn = await queue.enter(source, {
    gaveUp: () => call.cancelled,
    onGivingUp: (task) => void call.once('cancelled', task),
  });
  if (turn.kind === 'full') return overloaded(turn.retryAfterMs);
  if (turn.kind === 'cancelled') return { code: status.CANCELLED, details: 'the caller gave up' };
  try {
    const request = decode(call.request);
    if (request === undefined) return { code: status.INVALID_ARGUMENT, details: 'the message is too large or malformed' };
    const { audience, spiffeId, ttlSeconds } = request;
    const authorization = call.metadata.get('authorization').map(String);
    const asked = { audience, spiffeId, ttlSeconds: Number(ttlSeconds) };
    const result = await authority.jwt.issue({ authorization, call }, asked);
    if (!result.ok) {
      log.info({ peer: call.getPeer(), ...result.refusal }, 'JWT-SVID refused');
      return rpcError(result.refusal);
    }
    const { svid, issuedAt, expiresAt } = result.value;
    const response = create(CreateJwtSvidResponseSchema, {
      svid,
      spiffeId: result.value.spiffeId,
      issuedAt: BigInt(issuedAt.getTime() / 1000),
      expiresAt: BigInt(expiresAt.getTime() / 1000),
    });
    return Buffer.from(toBinary(CreateJwtSvidResponseSchema, response));
  } finally {
    turn.leave();
  }
}

function decode(message: Buffer): CreateJwtSvidRequest | undefined {
  if (message.length > LARGEST_MESSAGE) return undefined;
  try {
    return fromBinary(CreateJwtSvidRequestSchema, message);
  } catch {
    return undefined;
  }
}
