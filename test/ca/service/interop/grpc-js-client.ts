// A gRPC client in TypeScript. It does the steps of its arguments in turn on one channel, and prints what came of each, one JSON object a line;
// what the steps are, client-process.ts says. It has no `gzip`: grpc-js compresses all calls of a channel or none.
// Usage: node grpc-js-client.ts CONFIG_JSON STEP...
import { createInterface } from 'node:readline';
import { createSecureContext } from 'node:tls';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientUnaryCall,
  credentials,
  Metadata,
  status,
} from '@grpc/grpc-js';
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from '#gen/gatehouse/ca/v1/istio_ca_pb.js';
import { PATH } from '../client.ts';
import type { Config } from './client-process.ts';

const STREAM = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
const [given = '{}', ...steps] = process.argv.slice(2);
const config: Config = JSON.parse(given);

const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const bytes = (value: Buffer) => value;

function openChannel(): Client {
  const { cert, key, tls12, keepaliveMs, retries } = config;
  const context = createSecureContext({
    ca: config.roots,
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(tls12 === true && { maxVersion: 'TLSv1.2' }),
  });
  return new Client(config.address, credentials.createFromSecureContext(context), {
    'grpc.ssl_target_name_override': config.serverName,
    'grpc.enable_http_proxy': 0,
    ...(!retries && { 'grpc.enable_retries': 0 }),
    ...(keepaliveMs !== undefined && {
      'grpc.keepalive_time_ms': keepaliveMs,
      'grpc.keepalive_timeout_ms': 5000,
      'grpc.keepalive_permit_without_calls': 1,
    }),
  });
}

const client = openChannel();

interface Answer {
  readonly code: string;
  readonly details?: string;
  readonly chain?: readonly string[];
}

interface Ask {
  readonly csr?: string;
  readonly token?: string | undefined;
  readonly timeoutMs?: number;
  readonly begun?: (call: ClientUnaryCall) => void;
}

function call({ csr = config.csr, token = config.token, timeoutMs = 20_000, begun }: Ask = {}): Promise<Answer> {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  const request = Buffer.from(
    toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, { csr, validityDuration: 3600n })),
  );
  const options: CallOptions = { deadline: Date.now() + timeoutMs };
  const chainOf = (answer: Buffer) => fromBinary(IstioCertificateResponseSchema, answer).certChain;
  return new Promise((resolve) => {
    const made = client.makeUnaryRequest(PATH, bytes, chainOf, request, metadata, options, (error, chain) =>
      resolve(error === null ? { code: 'OK', chain: chain ?? [] } : { code: status[error.code] ?? '?', details: error.details }),
    );
    begun?.(made);
  });
}

function say(step: string, answer?: Answer, codes = answer && { [answer.code]: 1 }): void {
  process.stdout.write(`${JSON.stringify({ step, codes, details: answer?.details, chain: answer?.chain })}\n`);
}

/** Callers at once, each until there are enough or, where there never are, until its first error. */
async function calls(step: string, enough: number, atOnce: number): Promise<void> {
  const codes: Record<string, number> = {};
  const caller = async (first: number): Promise<void> => {
    for (let done = first; done < enough; done += atOnce) {
      const { code } = await call();
      codes[code] = (codes[code] ?? 0) + 1;
      if (enough === Infinity && code !== 'OK') return;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, (_, first) => caller(first)));
  say(step, undefined, codes);
}

let stream: ClientDuplexStream<Buffer, Buffer> | undefined;

function open(): Promise<Answer> {
  const made = client.makeBidiStreamRequest(STREAM, bytes, bytes);
  stream = made;
  made.on('error', () => undefined);
  return new Promise((resolve) => {
    made.once('data', () => resolve({ code: 'OK' }));
    made.once('status', ({ code, details }) => resolve({ code: status[code] ?? '?', details }));
    made.write(Buffer.alloc(0));
  });
}

function close(made: ClientDuplexStream<Buffer, Buffer>): Promise<Answer> {
  return new Promise((resolve) => {
    made.once('status', ({ code, details }) => resolve({ code: status[code] ?? '?', details }));
    made.end();
  });
}

async function run(step: string): Promise<void> {
  const [word, first = '', second = ''] = step.split(':');
  switch (word) {
    case 'connect':
      await new Promise<void>((resolve, reject) => {
        client.waitForReady(Date.now() + 20_000, (error) => (error === undefined ? resolve() : reject(error)));
      });
      return say(step);
    case 'wait':
      say(step);
      await input.next();
      return;
    case 'call':
      return say(step, await call());
    case 'token':
      return say(step, await call({ token: first }));
    case 'large':
      return say(step, await call({ csr: 'x'.repeat(Number(first)) }));
    case 'deadline':
      return say(step, await call({ token: 'hold', timeoutMs: Number(first) }));
    case 'cancel':
      return say(step, await call({ token: 'hold', begun: (made) => void input.next().then(() => made.cancel()) }));
    case 'calls':
      return calls(step, Number(first), Number(second));
    case 'until-error':
      return calls(step, Infinity, Number(first));
    case 'open':
      return say(step, await open());
    case 'close':
      return say(step, stream && (await close(stream)));
    default:
      throw new Error(`there is no step ${step}`);
  }
}

const aside: Promise<void>[] = [];
for (const step of steps) {
  if (step.startsWith('&')) aside.push(run(step.slice(1)));
  else await run(step);
}
await Promise.all(aside);
client.close();
process.exit();
