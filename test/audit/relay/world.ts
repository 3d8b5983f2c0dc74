// The way of a log through an agent to a control plane, in one process: real sockets, real TLS, a real store; an Envoy that is played.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Client, type ClientWritableStream, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { StreamAccessLogsMessageSchema } from '#gen/envoy/service/accesslog/v3/als_pb.js';
import { Recorder } from '../../../audit/intake/recorder.ts';
import { addRelayService } from '../../../audit/intake/relay-service.ts';
import { openSqliteStore } from '../../../audit/store/sqlite.ts';
import { sqliteFileReader } from '../../../audit/store/sqlite-read.ts';
import type { Observed, Store } from '../../../audit/store/store.ts';
import { Budget } from '../../../sds/access-log/budget.ts';
import { WorkloadLog, type WorkloadLogOptions } from '../../../sds/access-log/workload-log.ts';
import { systemTimers } from '../../../sds/clock.ts';
import type { Svid } from '../../../sds/identity/accept.ts';
import { startApiServer } from '../../../sds/server/server.ts';
import { TestAuthority } from '../envoy/certificates.ts';
import { http, peer } from '../entries.ts';
import { APP, APP_NODE, directory, WEB } from '../world.ts';

export const log = pino({ level: 'silent' });
export const clock = (): Date => new Date();
const SERVER_NAME = 'control-plane.test';

export interface Certificates {
  readonly root: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly svid: Svid;
}

export async function certificates(): Promise<Certificates> {
  const authority = await TestAuthority.create();
  const own = await authority.issue(APP);
  const leaf = new X509Certificate(own.cert);
  return {
    root: authority.root,
    server: await authority.issueForHost(SERVER_NAME),
    svid: {
      id: APP,
      leaf,
      intermediates: [],
      chainPem: own.cert,
      key: createPrivateKey(own.key),
      serial: leaf.serialNumber.toLowerCase(),
      notBefore: leaf.validFromDate.getTime(),
      notAfter: leaf.validToDate.getTime(),
    },
  };
}

export interface ControlPlane {
  readonly port: number;
  readonly recorder: Recorder;
  /** While false the store takes nothing. */
  storeWorks: boolean;
  /** It is killed when the next batch is in the store, before anybody hears of it. */
  diesAfterWrite: boolean;
  /** Its server is gone, and it goes on writing what it has. */
  cutOff(): void;
  /** Nothing that is not in the store by now will be. */
  kill(): Promise<void>;
}

export async function startControlPlane(
  file: string | (() => Promise<Store>),
  { root, server: { cert, key } }: Certificates,
  { flushMs = 20, capacity = 20_000, port = 0 } = {},
): Promise<ControlPlane> {
  const state = { storeWorks: true, diesAfterWrite: false };
  const server = new Server();
  const open = async (): Promise<Store> => {
    const store = typeof file === 'string' ? await openSqliteStore({ file, clock }) : await file();
    return {
      async append(batch) {
        if (!state.storeWorks) throw new Error('the store is away');
        await store.append(batch);
        if (!state.diesAfterWrite || (batch.receipts ?? []).length === 0) return;
        state.storeWorks = false;
        server.forceShutdown();
        throw new Error('killed');
      },
      received: (source) => (state.storeWorks ? store.received(source) : Promise.reject(new Error('the store is away'))),
      query: (question) => store.query(question),
      close: () => store.close(),
    };
  };
  const recorder = new Recorder({ open, log, clock, flushMs, capacity, heartbeatMs: 60_000 });
  addRelayService(server, {
    authenticate: () => ({ ok: true, value: APP }),
    directory,
    ledger: recorder,
    observers: [],
    log,
    clock,
  });
  const tls = ServerCredentials.createSsl(
    Buffer.from(root),
    [{ cert_chain: Buffer.from(cert), private_key: Buffer.from(key) }],
    true,
  );
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, tls, (error, found) => (error ? reject(error) : resolve(found)));
  });
  return Object.assign(state, {
    port: bound,
    recorder,
    cutOff: () => server.forceShutdown(),
    kill: async () => {
      state.storeWorks = false;
      server.forceShutdown();
      await recorder.close();
    },
  });
}

export interface Agent {
  readonly log: WorkloadLog;
  /** Where it finds the control plane. */
  port: number;
  readonly envoy: Envoy;
  /** Of the log nothing more is heard. */
  close(): Promise<void>;
}

/** An Envoy's log stream to its agent. */
export class Envoy {
  readonly #client: Client;
  readonly #stream: ClientWritableStream<Buffer>;
  #first = true;

  constructor(socket: string) {
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure());
    const same = (buffer: Buffer): Buffer => buffer;
    const path = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';
    this.#stream = this.#client.makeClientStreamRequest<Buffer, Buffer>(path, same, same, () => {});
    this.#stream.on('error', () => {});
  }

  send(calls: number, nodeId = APP_NODE): void {
    this.write(
      toBinary(
        StreamAccessLogsMessageSchema,
        create(StreamAccessLogsMessageSchema, messageOf(calls, this.#first ? nodeId : undefined)),
      ),
    );
  }

  write(bytes: Uint8Array): void {
    this.#first = false;
    this.#stream.write(Buffer.from(bytes));
  }

  close(): void {
    this.#stream.end();
    this.#client.close();
  }
}

/** Calls of web to app, as app's proxy tells of them. */
export function messageOf(calls: number, nodeId?: string): MessageInitShape<typeof StreamAccessLogsMessageSchema> {
  return {
    ...(nodeId === undefined ? {} : { identifier: { node: { id: nodeId }, logName: 'inbound' } }),
    logEntries: {
      case: 'httpLogs',
      value: {
        logEntry: Array.from({ length: calls }, (_, at) =>
          http({ path: `/page-${'abc'.charAt(at % 3)}`, common: { tlsProperties: peer(WEB) } }),
        ),
      },
    },
  };
}

export async function startAgent(
  folder: string,
  name: string,
  { root, svid }: Certificates,
  change: Partial<WorkloadLogOptions> & { readonly port?: number } = {},
): Promise<Agent> {
  const at = { port: change.port ?? 1 };
  const address = {
    get target() {
      return `127.0.0.1:${at.port}`;
    },
    serverName: SERVER_NAME,
    timeoutMs: 0,
  };
  const workloadLog = new WorkloadLog({
    address,
    rootsPem: () => root,
    svid: () => svid,
    timers: systemTimers,
    random: () => 0,
    budget: new Budget(1 << 28),
    limitBytes: 1 << 25,
    folder: join(folder, 'logs'),
    now: Date.now,
    log,
    ...change,
  });
  const socket = join(folder, `${name}.sock`);
  const server = await startApiServer(socket, undefined, (of) => workloadLog.addTo(of));
  const envoy = new Envoy(socket);
  return Object.assign(at, {
    log: workloadLog,
    envoy,
    close: async () => {
      envoy.close();
      await server.close();
    },
  });
}

export function stored(file: string): Promise<Observed> {
  return sqliteFileReader(file).query({ since: undefined, until: undefined });
}

export async function countOf(file: string): Promise<number> {
  const { edges } = await stored(file);
  return edges.reduce((sum, { tally }) => sum + tally.count, 0);
}
