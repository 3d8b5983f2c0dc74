import assert from 'node:assert/strict';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  Client,
  credentials,
  type ClientWritableStream,
  Server,
  ServerCredentials,
  status,
  type ServiceError,
} from '@grpc/grpc-js';
import { pino } from 'pino';
import { StreamAccessLogsMessageSchema } from '#gen/envoy/service/accesslog/v3/als_pb.js';
import { type AccessLogCall, type AccessLogService, addAccessLogService } from '../../audit/intake/access-log-service.ts';
import type { Sink } from '../../audit/intake/sink.ts';
import type { LossReason } from '../../audit/model/loss.ts';
import type { AccessRecord } from '../../audit/model/record.ts';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';
import { http, peer, tcp } from './entries.ts';
import { eventually } from '../eventually.ts';
import { APP, APP_NODE, directory, NOW, WEB } from './world.ts';

type Message = Extract<MessageInitShape<typeof StreamAccessLogsMessageSchema>, { readonly $typeName?: never }>;

const PATH = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';
const same = (buffer: Buffer): Buffer => buffer;

/** A sink that takes nothing while it is shut. */
class Gate implements Sink {
  readonly records: AccessRecord[] = [];
  readonly lost: Partial<Record<LossReason, number>> = {};
  messages = 0;
  #open: Promise<void> = Promise.resolve();
  #release = (): void => undefined;

  shut(): void {
    this.#open = new Promise((resolve) => (this.#release = resolve));
  }

  release(): void {
    this.#release();
  }

  async accept(records: readonly AccessRecord[]): Promise<void> {
    this.messages++;
    this.records.push(...records);
    await this.#open;
  }

  lose(reason: LossReason, count: number): void {
    this.lost[reason] = (this.lost[reason] ?? 0) + count;
  }
}

const identifier = (logName: string, id = APP_NODE): NonNullable<Message['identifier']> => ({ node: { id }, logName });
const httpLogs = (count: number): NonNullable<Message['logEntries']> => ({
  case: 'httpLogs',
  value: { logEntry: Array.from({ length: count }, () => http({ common: { tlsProperties: peer(WEB) } })) },
});

describe('audit: access-log service', () => {
  let server: Server;
  let service: AccessLogService;
  let client: Client;
  let gate: Gate;
  let principal: Parsed<SpiffeId>;

  before(async () => {
    server = new Server();
    service = addAccessLogService(server, {
      authenticate: (_call: AccessLogCall) => principal,
      directory,
      sink: { accept: (records) => gate.accept(records), lose: (reason, count) => gate.lose(reason, count) },
      log: pino({ level: 'silent' }),
      clock: () => NOW,
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  });
  after(() => {
    client.close();
    server.forceShutdown();
  });
  beforeEach(() => {
    gate = new Gate();
    principal = { ok: true, value: APP };
  });

  function open(): {
    readonly stream: ClientWritableStream<Buffer>;
    readonly done: Promise<ServiceError | undefined>;
    readonly send: (message: Message) => void;
  } {
    let settle: (error: ServiceError | undefined) => void = () => undefined;
    const done = new Promise<ServiceError | undefined>((resolve) => (settle = resolve));
    const stream = client.makeClientStreamRequest<Buffer, Buffer>(PATH, same, same, (error) => settle(error ?? undefined));
    return {
      stream,
      done,
      send: (message) =>
        stream.write(Buffer.from(toBinary(StreamAccessLogsMessageSchema, create(StreamAccessLogsMessageSchema, message)))),
    };
  }

  it('reads messages; the first tells who reports, for all that follow', async () => {
    const { stream, send, done } = open();
    send({ identifier: identifier('inbound'), logEntries: httpLogs(2) });
    send({ logEntries: { case: 'tcpLogs', value: { logEntry: [tcp({ tlsProperties: peer(WEB) })] } } });
    send({});
    stream.end();
    assert.equal(await done, undefined);
    assert.deepEqual(
      gate.records.map(({ protocol, destination, side }) => [protocol, destination.workload, side]),
      [
        ['HTTP/1.1', 'shop/app', 'inbound'],
        ['HTTP/1.1', 'shop/app', 'inbound'],
        ['TCP', 'shop/app', 'inbound'],
      ],
    );
  });

  it('refuses whoever has no identity', async () => {
    principal = { ok: false, reason: 'no client certificate' };
    const { send, done } = open();
    send({ identifier: identifier('inbound'), logEntries: httpLogs(1) });
    const error = await done;
    assert.deepEqual([error?.code, error?.details, gate.records.length], [status.UNAUTHENTICATED, 'no client certificate', 0]);
  });

  it('ends the streams of whoever is refused when asked again', async () => {
    const { send, done } = open();
    send({ identifier: identifier('inbound'), logEntries: httpLogs(1) });
    await eventually('a record', () => (gate.records.length > 0 ? true : undefined));
    service.reauthenticate();
    send({ logEntries: httpLogs(1) });
    await eventually('another record', () => (gate.records.length > 1 ? true : undefined));
    principal = { ok: false, reason: 'the identity was revoked' };
    service.reauthenticate();
    const error = await done;
    assert.deepEqual([error?.code, error?.details], [status.UNAUTHENTICATED, 'the identity was revoked']);
  });

  const refusals: readonly (readonly [string, Message, RegExp])[] = [
    ['a first message without identifier', { logEntries: httpLogs(1) }, /first message must have an identifier/],
    ['a log name it does not know', { identifier: identifier('other'), logEntries: httpLogs(1) }, /log_name must be/],
    ['no node id', { identifier: identifier('inbound', ''), logEntries: httpLogs(1) }, /node\.id is missing/],
    ['a node id that is endless', { identifier: identifier('inbound', 'x'.repeat(2000)), logEntries: httpLogs(1) }, /too long/],
  ];
  for (const [title, message, reason] of refusals) {
    it(`refuses ${title}`, async () => {
      const { send, done } = open();
      send(message);
      const error = await done;
      assert.equal(error?.code, status.INVALID_ARGUMENT);
      assert.match(error.details, reason);
      assert.equal(gate.records.length, 0);
    });
  }

  it('lets no proxy report as another: the certificate, not the node id, says who reports', async () => {
    principal = { ok: true, value: WEB };
    const { send, done } = open();
    send({ identifier: identifier('inbound', APP_NODE), logEntries: httpLogs(1) });
    const error = await done;
    assert.equal(error?.code, status.INVALID_ARGUMENT);
    assert.match(error.details, /is not of identity spiffe:\/\/test\.mesh\/ns\/shop\/sa\/web/);
    assert.equal(gate.records.length, 0);
  });

  it('counts a message that is no message as lost, and goes on', async () => {
    const { stream, send, done } = open();
    send({ identifier: identifier('inbound'), logEntries: httpLogs(1) });
    stream.write(Buffer.from([0xff, 0xff, 0xff]));
    send({ logEntries: httpLogs(1) });
    stream.end();
    assert.equal(await done, undefined);
    assert.deepEqual([gate.records.length, gate.lost.malformed], [2, 1]);
  });

  it('reads no further message while the sink has no room', async () => {
    gate.shut();
    const { stream, send, done } = open();
    send({ identifier: identifier('inbound'), logEntries: httpLogs(1) });
    for (let index = 0; index < 5; index++) send({ logEntries: httpLogs(1) });
    stream.end();
    await eventually('the first message is there', () => (gate.messages > 0 ? true : undefined));
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(gate.messages, 1);
    gate.release();
    assert.equal(await done, undefined);
    assert.equal(gate.messages, 6);
  });

  it('survives a proxy that goes away in the middle', async () => {
    const { stream, send, done } = open();
    send({ identifier: identifier('inbound'), logEntries: httpLogs(3) });
    await eventually('the message is there', () => (gate.records.length === 3 ? true : undefined));
    stream.cancel();
    assert.equal((await done)?.code, status.CANCELLED);
    const next = open();
    next.send({ identifier: identifier('inbound'), logEntries: httpLogs(1) });
    next.stream.end();
    assert.equal(await next.done, undefined);
    assert.equal(gate.records.length, 4);
  });
});
