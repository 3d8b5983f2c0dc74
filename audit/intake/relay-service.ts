import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Server, type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import {
  type LogMessage,
  LogRelay,
  type RelayRequest,
  RelayRequestSchema,
  RelayResponseSchema,
} from '#gen/gatehouse/log/v1/relay_pb.js';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';
import { bytesRpc } from '../../ca/service/rpc.ts';
import type { LossReason } from '../model/loss.ts';
import type { AccessRecord } from '../model/record.ts';
import type { AccessLogService } from './access-log-service.ts';
import type { Directory } from './directory.ts';
import type { Entry, Ledger } from './ledger.ts';
import { announcedInMessage, parseMessage, recordsOfMessage } from './message.ts';
import { reporterOf } from './reporter.ts';
import type { Observer } from './sink.ts';

export type RelayCall = ServerDuplexStream<Buffer, Buffer>;

export interface RelayOptions {
  /** Whose log it is, by the client certificate. */
  readonly authenticate: (call: RelayCall) => Parsed<SpiffeId>;
  readonly directory: Directory;
  readonly ledger: Ledger;
  readonly observers: readonly Observer[];
  readonly log: Logger;
  readonly clock: () => Date;
}

/** One queue now, one or a few that agents before this one left behind. */
const MOST_SOURCES = 64;
const SOURCE = /^[\w-]{16,64}$/;
/** A day ago at most: as with the times of records. */
const OLDEST_MS = 24 * 3_600_000;

function parse(buffer: Buffer): RelayRequest | undefined {
  try {
    return fromBinary(RelayRequestSchema, buffer);
  } catch {
    return undefined;
  }
}

/** Ends a stream; the agent comes again. */
class Refusal extends Error {
  readonly code: status;

  constructor(code: status, reason: string) {
    super(reason);
    this.code = code;
  }
}

/** One agent's stream. */
class RelayStream {
  readonly #call: RelayCall;
  readonly #principal: SpiffeId;
  readonly #options: RelayOptions;
  readonly #follows = new Map<string, () => void>();
  #ended = false;

  constructor(call: RelayCall, principal: SpiffeId, options: RelayOptions) {
    this.#call = call;
    this.#principal = principal;
    this.#options = options;
  }

  /** One request after the other: while the ledger has no room nothing more is read, and HTTP/2 stops the agent, whose queue grows. */
  start(onEnd: () => void): void {
    const call = this.#call;
    const done = (): void => {
      this.#ended = true;
      for (const end of this.#follows.values()) end();
      this.#follows.clear();
      onEnd();
    };
    call.on('data', (buffer: Buffer) => {
      call.pause();
      this.#receive(buffer).then(
        () => call.resume(),
        (error: unknown) => {
          if (!(error instanceof Refusal))
            this.#options.log.error({ err: error }, "an agent's log could not be taken; this is a bug");
          this.end(
            error instanceof Refusal ? error.code : status.INTERNAL,
            error instanceof Refusal ? error.message : 'internal error',
          );
        },
      );
    });
    call.on('end', () => {
      done();
      call.end();
    });
    call.on('cancelled', done);
    call.on('error', done);
  }

  end(code: status, details: string): void {
    if (!this.#ended) this.#call.emit('error', { code, details });
  }

  #receive(buffer: Buffer): Promise<void> {
    const request = parse(buffer);
    return request === undefined || !SOURCE.test(request.source)
      ? Promise.reject(new Refusal(status.INVALID_ARGUMENT, 'not a RelayRequest with a source'))
      : this.#take(request);
  }

  async #take({ source, messages }: RelayRequest): Promise<void> {
    const key = await this.#follow(source);
    for (const message of messages) {
      if (!(await this.#options.ledger.room())) throw new Refusal(status.UNAVAILABLE, 'the control plane is stopping');
      if (this.#ended) return;
      let records: readonly AccessRecord[] = [];
      let announced: readonly AccessRecord[] = [];
      const taken = this.#options.ledger.take(key, Number(message.sequence), () => {
        const entry = this.#entryOf(message);
        ({ records, announced = [] } = entry);
        return entry;
      });
      if (!taken) continue;
      for (const observer of this.#options.observers) {
        observer.announced?.(announced);
        observer.observe(records);
      }
    }
  }

  /** A name that an agent chose stands for something only together with its identity. */
  async #follow(source: string): Promise<string> {
    const key = `${this.#principal}#${source}`;
    if (this.#follows.has(key)) return key;
    if (this.#follows.size >= MOST_SOURCES) throw new Refusal(status.RESOURCE_EXHAUSTED, 'too many sources');
    const follower = {
      stored: (upTo: number) => this.#acknowledge(source, upTo),
      dropped: () => this.end(status.ABORTED, 'another replica has stored some of it; send what is not acknowledged'),
    };
    const { stored, end } = await this.#options.ledger.follow(key, follower).catch((error: unknown) => {
      this.#options.log.debug({ error }, 'the audit store cannot be asked');
      throw new Refusal(status.UNAVAILABLE, 'the audit store cannot be asked');
    });
    if (this.#ended) end();
    else this.#follows.set(key, end);
    this.#acknowledge(source, stored);
    return key;
  }

  #acknowledge(source: string, stored: number): void {
    if (this.#ended || this.#call.cancelled) return;
    const response = create(RelayResponseSchema, { source, stored: BigInt(stored) });
    this.#call.write(Buffer.from(toBinary(RelayResponseSchema, response)));
  }

  #entryOf(message: LogMessage): Entry & { readonly announced?: readonly AccessRecord[] } {
    const { clock, directory } = this.#options;
    const now = clock();
    if (message.lost > 0n) {
      const told = Number(message.lostAt) * 1000;
      const at = told > now.getTime() - OLDEST_MS && told <= now.getTime() ? told : now.getTime();
      return { records: [], lost: { reason: 'agent-queue-full', count: Number(message.lost), at } };
    }
    const logs = parseMessage(message.logs);
    if (logs === undefined) return this.#lost('malformed', 1, now);
    const reporter = reporterOf(this.#principal, message.nodeId, message.logName, directory);
    if (!reporter.ok) {
      this.#options.log.warn({ principal: this.#principal, reason: reporter.reason }, 'an access log was refused');
      return this.#lost('refused', Math.max(1, logs.http.length + logs.tcp.length), now);
    }
    return {
      records: recordsOfMessage(logs, reporter.value, directory, now),
      announced: announcedInMessage(logs, reporter.value, directory, now),
    };
  }

  #lost(reason: LossReason, count: number, now: Date): Entry {
    return { records: [], lost: { reason, count, at: now.getTime() } };
  }
}

/** Serves gatehouse.log.v1.LogRelay: the logs that agents keep until they are in the store. */
export function addRelayService(server: Server, options: RelayOptions): AccessLogService {
  const { authenticate, log } = options;
  const streams = new Map<RelayCall, RelayStream>();
  server.addService(
    { relay: bytesRpc(LogRelay.method.relay) },
    {
      relay(call: RelayCall): void {
        const caller = authenticate(call);
        if (!caller.ok) {
          log.warn({ peer: call.getPeer(), reason: caller.reason }, 'an agent may not send logs');
          call.emit('error', { code: status.UNAUTHENTICATED, details: caller.reason });
          return;
        }
        const stream = new RelayStream(call, caller.value, options);
        streams.set(call, stream);
        stream.start(() => streams.delete(call));
      },
    },
  );
  return {
    reauthenticate() {
      for (const [call, stream] of streams) {
        const caller = authenticate(call);
        if (!caller.ok) stream.end(status.UNAUTHENTICATED, caller.reason);
      }
    },
  };
}
