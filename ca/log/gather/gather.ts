import { create } from '@bufbuild/protobuf';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { createSecureContext } from 'node:tls';
import {
  FollowLogRequestSchema,
  IssuanceLogService,
  ListLogsRequestSchema,
  type ListLogsResponse,
} from '#gen/gatehouse/ca/v1/replicas_pb.js';
import { rpc } from '../../service/rpc.ts';
import { LogCopy } from './copy.ts';
import { originOf } from './source.ts';

export interface GatherOptions {
  /** The authority's folder. */
  readonly dir: string;
  readonly ownVerifierKey: string;
  /** Where the other replicas are now, `host:port`. */
  readonly peers: () => readonly string[];
  /** The DNS name that their certificates have. */
  readonly serverName: string;
  /** Our certificate among replicas, and what theirs must lead to. */
  readonly credentials: () => Promise<{
    readonly rootsPem: string;
    readonly chainPem: string;
    readonly keyPem: string;
    /** When to connect anew, with another. */
    readonly renewAt: Date;
  }>;
  readonly clock: () => Date;
  readonly log: Logger;
}

const LIST = rpc(IssuanceLogService.method.listLogs);
const FOLLOW = rpc(IssuanceLogService.method.followLog);
const LOOK_MS = 2_000;
const SOON_MS = 100;
const CALL_MS = 10_000;

type ListedLog = ListLogsResponse['logs'][number];

/** Keeps copies of all issuance logs of the other replicas, and of those that are gone, as long as somebody has them. */
export class LogGatherer {
  readonly #options: GatherOptions;
  readonly #copies = new Map<string, Promise<LogCopy>>();
  readonly #open = new Map<string, LogCopy>();
  readonly #peers = new Map<string, AbortController>();
  /** Logs that are being followed, by their keys: one source each. */
  readonly #following = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  /** Those whose logs were here as they had listed them, or that could not be reached. */
  readonly #passed = new Set<string>();
  #closed = false;

  constructor(options: GatherOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  /** All copies that are open. */
  copies(): readonly LogCopy[] {
    return [...this.#open.values()];
  }

  /** How much of a log is here. */
  bytesOf(origin: string): number {
    return (
      this.copies()
        .find(({ verifierKey }) => originOf(verifierKey) === origin)
        ?.bytes() ?? 0
    );
  }

  /** Whether all that the others have was taken over once. */
  isCaughtUp(): boolean {
    return this.#options.peers().every((peer) => this.#passed.has(peer));
  }

  look(): void {
    if (this.#closed) return;
    const peers = new Set(this.#options.peers());
    for (const [peer, met] of this.#peers) if (!peers.has(peer)) met.abort();
    for (const peer of peers) if (!this.#peers.has(peer)) this.#meet(peer);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const met of this.#peers.values()) met.abort();
    for (const copy of await Promise.allSettled(this.#copies.values())) if (copy.status === 'fulfilled') await copy.value.close();
  }

  #meet(peer: string): void {
    const over = new AbortController();
    this.#peers.set(peer, over);
    let ended = false;
    void this.#with(peer, over.signal)
      .then(() => (ended = true))
      .catch((error: unknown) => {
        if (!over.signal.aborted)
          this.#options.log.info(
            { peer, reason: error instanceof Error ? error.message : String(error) },
            'the issuance log of another replica is not to be had now',
          );
      })
      .finally(() => {
        over.abort();
        this.#passed.add(peer);
        this.#peers.delete(peer);
        // Connected anew at once where it is only for another certificate.
        if (ended) this.look();
      });
  }

  async #with(peer: string, signal: AbortSignal): Promise<void> {
    const { rootsPem, chainPem, keyPem, renewAt } = await this.#options.credentials();
    const { serverName } = this.#options;
    const context = createSecureContext({ ca: rootsPem, cert: chainPem, key: keyPem, minVersion: 'TLSv1.3' });
    const client = new Client(peer, credentials.createFromSecureContext(context), {
      'grpc.ssl_target_name_override': serverName,
      'grpc.default_authority': serverName,
      'grpc.enable_http_proxy': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
    });
    const over = new AbortController();
    signal.addEventListener('abort', () => over.abort(), { once: true });
    const failures: unknown[] = [];
    try {
      while (!signal.aborted && failures.length === 0 && this.#options.clock() < renewAt) {
        const listed = (await list(client)).logs;
        const ended: Promise<void>[] = [];
        for (const log of listed) {
          const { verifierKey, own } = log;
          if (verifierKey === this.#options.ownVerifierKey) continue;
          const copy = await this.#copy(verifierKey);
          if (this.#following.has(verifierKey) || (!own && isAt(copy, log))) continue;
          this.#following.add(verifierKey);
          const isOver = (): boolean => !own && isAt(copy, log);
          const following = followInto(client, copy, isOver, over.signal).finally(() => this.#following.delete(verifierKey));
          if (own) following.catch((error: unknown) => failures.push(error));
          else ended.push(following);
        }
        // Together: of replicas that are gone there may be many logs, and a new replica is of no use until it has them.
        await Promise.all(ended);
        if (listed.every((log) => this.#has(log))) this.#passed.add(peer);
        await pause(this.#passed.has(peer) ? LOOK_MS : SOON_MS, signal);
      }
    } finally {
      over.abort();
      client.close();
    }
    if (failures.length > 0) throw failures[0];
  }

  #has(log: ListedLog): boolean {
    const copy = this.#open.get(log.verifierKey);
    return log.verifierKey === this.#options.ownVerifierKey || (copy !== undefined && isAt(copy, log));
  }

  #copy(verifierKey: string): Promise<LogCopy> {
    const known = this.#copies.get(verifierKey);
    if (known !== undefined) return known;
    const made = LogCopy.open(this.#options.dir, verifierKey);
    this.#copies.set(verifierKey, made);
    made.then(
      (copy) => this.#open.set(verifierKey, copy),
      () => this.#copies.delete(verifierKey),
    );
    return made;
  }
}

/** Whether a copy has all that another replica said it has. */
function isAt(copy: LogCopy, { bytes, checkpointBytes }: ListedLog): boolean {
  return copy.bytes() >= Number(bytes) && copy.checkpointBytes() >= Number(checkpointBytes);
}

function list(client: Client): Promise<ListLogsResponse> {
  return new Promise((resolve, reject) => {
    const deadline = new Date(Date.now() + CALL_MS);
    const request = create(ListLogsRequestSchema, {});
    client.makeUnaryRequest(LIST.path, LIST.requestSerialize, LIST.responseDeserialize, request, { deadline }, (error, answer) =>
      answer === undefined ? reject(error ?? new Error('no answer')) : resolve(answer),
    );
  });
}

/** Writes what comes; each answer says what is on disk. Resolves when that is enough, rejects when the stream ends before. */
function followInto(client: Client, copy: LogCopy, isOver: () => boolean, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = client.makeBidiStreamRequest(FOLLOW.path, FOLLOW.requestSerialize, FOLLOW.responseDeserialize);
    const say = (): void => {
      call.write(
        create(FollowLogRequestSchema, {
          verifierKey: copy.verifierKey,
          bytes: BigInt(copy.bytes()),
          checkpointBytes: BigInt(copy.checkpointBytes()),
        }),
      );
    };
    let turn: Promise<void> = Promise.resolve();
    const fail = (error: unknown): void => {
      call.cancel();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    signal.addEventListener('abort', () => fail(new Error('the replica is gone')), { once: true });
    call.on('data', ({ at, records, checkpointsAt, checkpoints }) => {
      turn = turn
        .then(() => copy.append(Number(at), records, Number(checkpointsAt), checkpoints))
        .then(() => {
          say();
          if (!isOver()) return;
          call.end();
          resolve();
        }, fail);
    });
    call.on('error', (error: ServiceError) => reject(error));
    call.on('end', () => reject(new Error('the stream ended')));
    say();
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
