import { open } from 'node:fs/promises';
import { create } from '@bufbuild/protobuf';
import { type sendUnaryData, type Server, type ServerDuplexStream, type ServerUnaryCall, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import {
  type FollowLogRequest,
  type FollowLogResponse,
  FollowLogResponseSchema,
  IssuanceLogService,
  type ListLogsRequest,
  type ListLogsResponse,
  ListLogsResponseSchema,
} from '#gen/gatehouse/ca/v1/replicas_pb.js';
import { rpc } from '../../service/rpc.ts';
import type { PeerOf } from '../../tls/peer.ts';
import type { Shipping } from './shipping.ts';
import { type FollowedLog, REPLICA_PATH } from './source.ts';

export interface LogServiceOptions {
  readonly authenticate: PeerOf;
  readonly trustDomain: string;
  /** The own log first. */
  readonly logs: () => readonly FollowedLog[];
  readonly shipping: Shipping;
  readonly log: Logger;
}

const LIST = rpc(IssuanceLogService.method.listLogs);
const FOLLOW = rpc(IssuanceLogService.method.followLog);
/** A follower has at most so much to write. */
const WINDOW = 1024 * 1024;
const CHUNK = 256 * 1024;

type Call = ServerDuplexStream<FollowLogRequest, FollowLogResponse>;

/** Gives other replicas of this control plane, and nobody else, the issuance logs that are here. */
export function addIssuanceLogService(server: Server, options: LogServiceOptions): void {
  const { authenticate, trustDomain, logs, log } = options;
  const refusal = (call: Parameters<PeerOf>[0]) => {
    const peer = authenticate(call);
    if (!peer.ok) return { code: status.UNAUTHENTICATED, details: peer.reason };
    return peer.value === `spiffe://${trustDomain}${REPLICA_PATH}`
      ? undefined
      : { code: status.PERMISSION_DENIED, details: 'for replicas of the control plane only' };
  };
  server.addService(
    { ListLogs: LIST, FollowLog: FOLLOW },
    {
      ListLogs(call: ServerUnaryCall<ListLogsRequest, ListLogsResponse>, callback: sendUnaryData<ListLogsResponse>) {
        const refused = refusal(call);
        if (refused !== undefined) return callback(refused);
        const all = logs().map((one) => ({
          verifierKey: one.verifierKey,
          bytes: BigInt(one.bytes()),
          checkpointBytes: BigInt(one.checkpointBytes()),
          own: one.own,
        }));
        return callback(null, create(ListLogsResponseSchema, { logs: all }));
      },
      FollowLog(call: Call) {
        const refused = refusal(call);
        if (refused !== undefined) return void call.emit('error', refused);
        follow(call, options).catch((error: unknown) => {
          log.warn({ err: error }, 'another replica cannot be given a log');
          call.emit('error', { code: status.INTERNAL, details: 'the log cannot be read' });
        });
      },
    },
  );
}

async function follow(call: Call, { logs, shipping }: LogServiceOptions): Promise<void> {
  const requests: AsyncIterator<FollowLogRequest> = call[Symbol.asyncIterator]();
  const first = await requests.next();
  if (first.done === true) return void call.end();
  const { verifierKey, bytes, checkpointBytes } = first.value;
  const source = logs().find((one) => one.verifierKey === verifierKey);
  if (source === undefined) return void call.emit('error', { code: status.NOT_FOUND, details: 'that log is not here' });
  let [sent, had, checkpointsSent] = [Number(bytes), Number(bytes), Number(checkpointBytes)];
  // Of two copies one may have more records, and the other more checkpoints.
  if ((source.own && sent > source.bytes()) || checkpointsSent > source.checkpointBytes())
    return void call.emit('error', { code: status.OUT_OF_RANGE, details: 'the follower has more of the log than there is' });
  const records = await open(source.files.records, 'r');
  const checkpoints = await open(source.files.checkpoints, 'r').catch(() => undefined);
  const state = { running: false, again: false, over: false };
  /** Sends what there is, as long as the follower keeps up. */
  const pump = async (): Promise<void> => {
    for (;;) {
      const sealed = source.checkpointBytes();
      const end = Math.min(source.bytes(), sent + CHUNK, had + WINDOW);
      if (state.over) return;
      if (end > sent) {
        const lines = wholeLinesOf(await readAt(records, sent, end - sent));
        if (lines.length === 0) return;
        call.write(create(FollowLogResponseSchema, { at: BigInt(sent), records: lines }));
        sent += lines.length;
      } else if (checkpoints !== undefined && sent >= source.bytes() && sealed > checkpointsSent) {
        const notes = await readAt(checkpoints, checkpointsSent, Math.min(CHUNK, sealed - checkpointsSent));
        call.write(create(FollowLogResponseSchema, { checkpointsAt: BigInt(checkpointsSent), checkpoints: notes }));
        checkpointsSent += notes.length;
      } else return;
    }
  };
  const look = (): void => {
    state.again = true;
    if (state.running) return;
    state.running = true;
    void (async () => {
      try {
        while (state.again && !state.over) {
          state.again = false;
          await pump();
        }
      } catch {
        call.emit('error', { code: status.INTERNAL, details: 'the log cannot be read' });
      }
      state.running = false;
    })();
  };
  const stop = source.onGrowth(look);
  const follower = {};
  if (source.own) shipping.joined(follower, had);
  try {
    look();
    for (let next = await requests.next(); next.done !== true; next = await requests.next()) {
      had = Number(next.value.bytes);
      if (source.own) shipping.has(follower, had);
      look();
    }
    call.end();
  } catch {
    // The follower went away.
  } finally {
    state.over = true;
    stop();
    shipping.left(follower);
    await records.close();
    await checkpoints?.close();
  }
}

async function readAt(file: Awaited<ReturnType<typeof open>>, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, at);
  return buffer.subarray(0, bytesRead);
}

function wholeLinesOf(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
}
