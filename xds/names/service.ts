import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Server, type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import {
  AnswerSchema,
  type FollowRequest,
  FollowRequestSchema,
  FollowResponseSchema,
  Names,
} from '#gen/gatehouse/names/v1/names_pb.js';
import type { Parsed } from '../../ca/identity/parsed.ts';
import { type SpiffeId, workloadOf } from '../../ca/identity/spiffe-id.ts';
import { bytesRpc } from '../../ca/service/rpc.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { addressesOf } from './addresses.ts';

type Call = ServerDuplexStream<Buffer, Buffer>;

export interface NamesOptions {
  /** Who asks, by the client certificate. */
  readonly authenticate: (call: Call) => Parsed<SpiffeId>;
  readonly snapshot: () => Snapshot;
  /** The listener is called after each new snapshot. Returns an unsubscribe. */
  readonly onChange: (listener: () => void) => () => void;
  readonly log: Logger;
}

export interface NamesService {
  reauthenticate(): void;
  close(): void;
}

/** More than an application asks for by name; each costs a look at a change. */
const MOST_NAMES = 4096;
const MOST_STREAMS_EACH = 4096;
const LONGEST_NAME = 253;
/** Of changes that come one after another some are told together. */
const TOGETHER_MS = 50;

class NamesStream {
  readonly #call: Call;
  readonly #namespace: string;
  readonly #options: NamesOptions;
  /** What was told last, by name. */
  readonly #told = new Map<string, string | undefined>();

  constructor(call: Call, namespace: string, options: NamesOptions) {
    this.#call = call;
    this.#namespace = namespace;
    this.#options = options;
  }

  /** @returns why it cannot be served */
  take({ names, dropped }: FollowRequest): string | undefined {
    for (const name of dropped) this.#told.delete(name);
    if (this.#told.size + names.length > MOST_NAMES) return `more than ${MOST_NAMES} names`;
    if (names.some((name) => name === '' || name.length > LONGEST_NAME)) return 'a name that is none';
    this.#tell(names, true);
    return undefined;
  }

  changed(): void {
    this.#tell([...this.#told.keys()], false);
  }

  #tell(names: readonly string[], always: boolean): void {
    const snapshot = this.#options.snapshot();
    const answers = names.flatMap((name) => {
      const addresses = addressesOf(snapshot, name, this.#namespace);
      const text = addresses?.join(' ');
      if (!always && this.#told.get(name) === text) return [];
      this.#told.set(name, text);
      return [create(AnswerSchema, { name, known: addresses !== undefined, addresses: [...(addresses ?? [])] })];
    });
    if (answers.length > 0)
      this.#call.write(Buffer.from(toBinary(FollowResponseSchema, create(FollowResponseSchema, { answers }))));
  }
}

/** Tells agents what names of the mesh stand for: only those that they ask for, so that it costs nobody the whole mesh. */
export function addNamesService(server: Server, options: NamesOptions): NamesService {
  const streams = new Map<Call, { readonly stream: NamesStream; readonly identity: SpiffeId }>();
  const byIdentity = new Map<SpiffeId, number>();
  let timer: NodeJS.Timeout | undefined;
  let services = options.snapshot().services;
  const unsubscribe = options.onChange(() => {
    if (timer !== undefined || streams.size === 0) return;
    timer = setTimeout(() => {
      timer = undefined;
      const now = options.snapshot().services;
      if (now === services) return;
      services = now;
      for (const { stream } of streams.values()) stream.changed();
    }, TOGETHER_MS);
    timer.unref();
  });
  const end = (call: Call, code: status, details: string): void => {
    forget(call);
    call.emit('error', { code, details });
  };
  const forget = (call: Call): void => {
    const known = streams.get(call);
    if (known === undefined) return;
    streams.delete(call);
    const left = (byIdentity.get(known.identity) ?? 1) - 1;
    if (left > 0) byIdentity.set(known.identity, left);
    else byIdentity.delete(known.identity);
  };

  server.addService(
    { follow: bytesRpc(Names.method.follow) },
    {
      follow: (call: Call) => {
        const caller = options.authenticate(call);
        if (!caller.ok) return end(call, status.UNAUTHENTICATED, caller.reason);
        const workload = workloadOf(caller.value);
        if (workload === undefined) return end(call, status.PERMISSION_DENIED, 'names are told to workloads');
        const open = byIdentity.get(caller.value) ?? 0;
        if (open >= MOST_STREAMS_EACH) return end(call, status.RESOURCE_EXHAUSTED, `${caller.value} has ${open} streams open`);
        byIdentity.set(caller.value, open + 1);
        const stream = new NamesStream(call, workload.namespace, options);
        streams.set(call, { stream, identity: caller.value });
        call.on('data', (message: Buffer) => {
          const request = parse(message);
          const wrong = request === undefined ? 'a request that is none' : stream.take(request);
          if (wrong !== undefined) end(call, status.INVALID_ARGUMENT, wrong);
        });
        call.on('end', () => {
          forget(call);
          call.end();
        });
        call.on('cancelled', () => forget(call));
        call.on('close', () => forget(call));
        call.on('error', (error: Error) => {
          options.log.debug({ reason: error.message }, 'a stream of names ended');
          forget(call);
        });
        return undefined;
      },
    },
  );
  return {
    reauthenticate() {
      for (const call of streams.keys()) {
        const caller = options.authenticate(call);
        if (!caller.ok) end(call, status.UNAUTHENTICATED, caller.reason);
      }
    },
    close() {
      clearTimeout(timer);
      unsubscribe();
      for (const call of streams.keys()) end(call, status.UNAVAILABLE, 'the control plane is shutting down');
    },
  };
}

function parse(message: Buffer): FollowRequest | undefined {
  try {
    return fromBinary(FollowRequestSchema, message);
  } catch {
    return undefined;
  }
}
