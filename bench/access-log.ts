// What the access log costs: in a real Envoy (processor time for each request, with and without, in turns), on the wire (bytes for each
// record), in the agent and in the control plane (processor time for each record, at a given rate, with the store).
// Usage: node bench/access-log.ts [--repeats N] [--requests N] [--rate N] [--seconds N]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Client, credentials } from '@grpc/grpc-js';
import { AccessLogService, StreamAccessLogsMessageSchema } from '#gen/envoy/service/accesslog/v3/als_pb.js';
import { addLogReceiver } from '../sds/access-log/receiver.ts';
import { SERIAL_TAG } from '../routing/access-log/grpc.ts';
import { rpcPath } from '../sds/grpc.ts';
import { startApiServer } from '../sds/server/server.ts';
import { TestAuthority } from '../test/audit/envoy/certificates.ts';
import { envoyPath } from '../test/audit/envoy/process.ts';
import { APP, APP_NODE, WEB } from '../test/audit/world.ts';
import type { Start, State } from './access-log/process.ts';
import { startMeasured, type Variant } from './policy/envoy.ts';
import { Connections } from './policy/load.ts';

const { values: flags } = parseArgs({
  options: {
    repeats: { type: 'string', default: '11' },
    requests: { type: 'string', default: '3000' },
    rate: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '15' },
  },
});
const [REPEATS, REQUESTS, RATE, SECONDS] = [
  Number(flags.repeats),
  Number(flags.requests),
  Number(flags.rate),
  Number(flags.seconds),
];
const STREAMS = 8;
const PATHS = 40;

const TYPE = 'type.googleapis.com/envoy.extensions';
const logger = (bytes: number, tags = true): object => ({
  name: 'envoy.access_loggers.http_grpc',
  typed_config: {
    '@type': `${TYPE}.access_loggers.grpc.v3.HttpGrpcAccessLogConfig`,
    common_config: {
      log_name: `inbound`,
      transport_api_version: 'V3',
      grpc_service: { envoy_grpc: { cluster_name: 'agent' } },
      buffer_flush_interval: '0.2s',
      buffer_size_bytes: bytes,
      ...(tags ? { custom_tags: [{ tag: SERIAL_TAG, value: '%DOWNSTREAM_PEER_SERIAL%' }] } : {}),
    },
    additional_request_headers_to_log: ['content-type'],
  },
});
const VARIANTS: readonly Variant[] = [
  { name: 'no access log', protocol: 'HTTP', filters: [] },
  { name: 'access log, messages of 4 KiB', protocol: 'HTTP', filters: [], accessLog: [logger(4096)] },
  { name: 'access log, 16 KiB, no certificates', protocol: 'HTTP', filters: [], accessLog: [logger(16_384, false)] },
  { name: 'access log, messages of 16 KiB', protocol: 'HTTP', filters: [], accessLog: [logger(16_384)] },
];

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const print = (text: string): void => void process.stdout.write(`${text}\n`);

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
const authority = await TestAuthority.create();

/** Messages of a real Envoy, which the second half sends again. */
async function inEnvoy(path: string): Promise<readonly Buffer[]> {
  const messages: Buffer[] = [];
  const socket = join(folder, 'sds.sock');
  const receiver = await startApiServer(socket, undefined, (server) =>
    addLogReceiver(server, (_node, _log, message) => void messages.push(Buffer.from(message))),
  );
  const cluster = {
    name: 'agent',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: 'agent',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: socket } } } }] }],
    },
  };
  const server = await authority.issue(APP);
  const envoy = await startMeasured(path, folder, VARIANTS, server, authority.root, [cluster]);
  try {
    const { cert, key } = await authority.issue(WEB);
    const runs = await Promise.all(
      VARIANTS.map(async ({ name }) => ({
        name,
        spent: [] as number[],
        connections: await Connections.open({ port: envoy.portOf(name), context: createSecureContext({ cert, key }) }, 8),
      })),
    );
    const run = async (connections: Connections, count: number): Promise<void> => {
      for (let at = 0; at < PATHS; at++)
        await connections.run({ path: `/api/v1/items-${'abcdefgh'.charAt(at % 8)}/${at}?page=2` }, Math.ceil(count / PATHS), 200);
      // What is still in its buffers is part of the cost.
      await sleep(300);
    };
    for (const { connections } of runs) await run(connections, REQUESTS);
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      for (const { spent, connections } of runs) {
        const before = envoy.cpuMicroseconds();
        await run(connections, REQUESTS);
        spent.push((envoy.cpuMicroseconds() - before) / REQUESTS);
      }
    }
    const [base] = runs;
    for (const { name, spent, connections } of runs) {
      const ratios = spent.map((value, at) => value / (base?.spent[at] ?? value));
      print(`Envoy ${name.padEnd(34)}${median(spent).toFixed(1).padStart(8)} us CPU a request, ${median(ratios).toFixed(2)} x`);
      connections.close();
    }
  } finally {
    await envoy.stop();
    await receiver.close();
  }
  return messages;
}

interface Process {
  readonly state: () => Promise<State>;
  readonly end: () => void;
}

async function started(start: Start): Promise<Process> {
  const program = fileURLToPath(new URL('access-log/process.ts', import.meta.url));
  const child = fork(program, [JSON.stringify(start)], { execArgv: ['--disable-warning=ExperimentalWarning'] });
  await once(child, 'message');
  return {
    state: async () => {
      const answer = once(child, 'message');
      child.send('state');
      const [state]: State[] = await answer;
      if (state === undefined) throw new Error('no answer');
      return state;
    },
    end: () => child.disconnect(),
  };
}

async function throughAgent(recorded: readonly Buffer[]): Promise<void> {
  const file = join(folder, 'audit.db');
  const common = {
    folder,
    file,
    root: authority.root,
    server: await authority.issueForHost('control-plane.test'),
    own: await authority.issue(APP),
  };
  const control = await started({ ...common, role: 'control plane', port: 0 });
  const agent = await started({ ...common, role: 'agent', port: (await control.state()).port });
  const client = new Client(`unix:${join(folder, 'agent.sock')}`, credentials.createInsecure());
  const same = (buffer: Buffer): Buffer => buffer;
  const path = rpcPath(AccessLogService.method.streamAccessLogs);
  const logs = Array.from({ length: STREAMS }, () => client.makeClientStreamRequest<Buffer, Buffer>(path, same, same, () => {}));
  for (const log of logs) {
    log.on('error', (error: Error) => print(error.message));
    log.write(
      Buffer.from(
        toBinary(
          StreamAccessLogsMessageSchema,
          create(StreamAccessLogsMessageSchema, { identifier: { node: { id: APP_NODE }, logName: 'inbound' } }),
        ),
      ),
    );
  }
  // As if it were now, and without the first message's identifier.
  const messages = recorded.map((bytes) => {
    const message = fromBinary(StreamAccessLogsMessageSchema, bytes);
    delete message.identifier;
    const entries = message.logEntries.case === 'httpLogs' ? message.logEntries.value.logEntry : [];
    for (const { commonProperties: of } of entries) if (of !== undefined) of.startTime = timestampFromMs(Date.now());
    return { entries: entries.length, bytes: Buffer.from(toBinary(StreamAccessLogsMessageSchema, message)) };
  });
  const before = await Promise.all([control.state(), agent.state()]);
  const began = performance.now();
  let [sent, bytes, most, index] = [0, 0, 0, 0];
  while (performance.now() - began < SECONDS * 1000) {
    for (const due = ((performance.now() - began) / 1000) * RATE; sent < due; index++) {
      const message = messages[index % messages.length];
      if (message === undefined) return;
      logs[index % STREAMS]?.write(message.bytes);
      sent += message.entries;
      bytes += message.bytes.length;
    }
    await sleep(20);
    if (index % 10 === 0) most = Math.max(most, (await agent.state()).bytes);
  }
  const took = (performance.now() - began) / 1000;
  let written = 0;
  for (let tries = 0; tries < 500 && written < sent; tries++, await sleep(20)) written = (await control.state()).records;
  const all = (performance.now() - began) / 1000;
  const after = await Promise.all([control.state(), agent.state()]);
  const [cpuControl, cpuAgent] = after.map(({ cpu }, at) => cpu - (before[at]?.cpu ?? 0));
  print(
    `sent ${sent} records in ${took.toFixed(1)} s (${Math.round(sent / took)} a second), in the store ${written} after ${all.toFixed(1)} s; at most ${Math.round(most / 1024)} KiB waited at the agent`,
  );
  print(
    `control plane ${((cpuControl ?? 0) / sent).toFixed(1)} us CPU a record (${Math.round((sent * 1e6) / (cpuControl ?? 1))} records a CPU-second), agent ${((cpuAgent ?? 0) / sent).toFixed(1)} us (${Math.round((sent * 1e6) / (cpuAgent ?? 1))})`,
  );
  print(
    `${Math.round(bytes / sent)} bytes a record on the wire; memory: control plane ${Math.round((after[0]?.rss ?? 0) / 2 ** 20)} MiB, agent ${Math.round((after[1]?.rss ?? 0) / 2 ** 20)} MiB; store ${Math.round(statSync(file).size / 1024)} KiB`,
  );
  client.close();
  agent.end();
  control.end();
}

const path = envoyPath();
if (path === undefined) throw new Error('GATEHOUSE_ENVOY names no Envoy');
try {
  const messages = await inEnvoy(path);
  await throughAgent(messages.filter((message) => message.length < 8192).slice(0, 2_000));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
