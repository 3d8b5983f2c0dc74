// Certificates per CPU second of the server: CreateCertificate over TLS gRPC, each request's signature and token checked, P-256
// keys and root, the issuance log on disk. The server runs in a process of its own and only its CPU time counts; the share of what
// node:crypto does raw is the figure to compare between machines. Usage: node bench/issuance.ts [seconds per row] [-o json]
// BENCH_ONLY=N runs one row only; BENCH_SERVER_FLAGS are node's, for the server (--cpu-prof).
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import type { ClientHttp2Session } from 'node:http2';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCertificate, session, settled } from './issuance/client.ts';
import { ISSUER, jwks, requests, token, type TokenKey, tokenKeys } from './issuance/evidence.ts';
import { combined, rawSpeed } from './issuance/raw.ts';

const SECONDS = Number(process.argv[2]?.match(/^\d+$/)?.[0] ?? 4);
/** Certificates before each row, and before all: by then V8 compiles no more. By number, since a busy machine does fewer in a second. */
const WARM_UP = Object.freeze({ one: 5_000, new: 1_000, settled: 1_000, all: 30_000 });
/** More than the authority remembers, so that taken in turn each is new to it. */
const TOKENS = 11_000;

interface Load {
  readonly name: string;
  readonly callers: number;
  readonly tokens: () => readonly string[];
  /** `settled`: new ones, on which the first call waits for the server's SETTINGS. */
  readonly connections: 'one' | 'new' | 'settled';
  /** Certificates a CPU second if only the cryptography of one cost anything. */
  readonly floor: number;
}

interface Row {
  readonly name: string;
  readonly callers: number;
  /** Median of the seconds. */
  readonly perCpuSecond: number;
  readonly best: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly shareOfRaw: number;
}

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
const keys = tokenKeys();
const jwksFile = join(folder, 'jwks.json');
writeFileSync(jwksFile, jwks(keys));
const messages = requests(200);
const raw = rawSpeed(1);

const child = fork(join(import.meta.dirname, 'issuance', 'server.ts'), [join(folder, 'ca'), jwksFile, ISSUER], {
  execArgv: ['--disable-warning=ExperimentalWarning', ...(process.env['BENCH_SERVER_FLAGS']?.split(' ') ?? [])],
  stdio: ['ignore', 'ignore', openSync(join(folder, 'server.log'), 'w'), 'ipc'],
});

interface FromServer {
  readonly port: number;
  readonly rootsPem: string;
  readonly cpuUs: number;
  readonly rssBytes: number;
}

async function told(): Promise<FromServer> {
  const [message]: FromServer[] = await once(child, 'message');
  if (message === undefined) throw new Error('the server said nothing');
  return message;
}

const { port, rootsPem } = await told();
const usage = (): Promise<FromServer> => {
  child.send('usage');
  return told();
};

/** Counts on from one second to the next, so that tokens come round as late as can be. */
let sent = 0;

async function drive(
  callers: number,
  tokens: readonly string[],
  over: ClientHttp2Session | (() => Promise<ClientHttp2Session>),
  goesOn: (done: number) => boolean,
): Promise<number[]> {
  const latencies: number[] = [];
  let next = 0;
  const caller = async (): Promise<void> => {
    while (goesOn(next)) {
      next++;
      const number = sent++;
      const message = messages[number % messages.length];
      const bearer = tokens[number % tokens.length];
      if (message === undefined || bearer === undefined) throw new Error('nothing to send');
      const began = performance.now();
      const mine = typeof over === 'function' ? await over() : over;
      await createCertificate(mine, message, bearer);
      if (mine !== over) mine.close();
      latencies.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return latencies;
}

async function measure(load: Load): Promise<Row> {
  const open = (): Promise<ClientHttp2Session> => session(port, rootsPem);
  const opened = { one: undefined, new: open, settled: async () => settled(await open()) }[load.connections];
  const over = opened ?? (await open());
  const tokens = load.tokens();
  await drive(load.callers, tokens, over, (done) => done < WARM_UP[load.connections]);
  const latencies: number[] = [];
  const rates: number[] = [];
  const began = performance.now();
  // One second at a time: on a shared machine the best of them says what the server costs, the median what it cost here.
  for (let second = 0; second < SECONDS; second++) {
    const [before, from] = [await usage(), performance.now()];
    const some = await drive(load.callers, tokens, over, () => performance.now() - from < 1000);
    rates.push((some.length * 1e6) / ((await usage()).cpuUs - before.cpuUs));
    latencies.push(...some);
  }
  const wall = (performance.now() - began) / 1000;
  latencies.sort((a, b) => a - b);
  rates.sort((a, b) => a - b);
  const [perCpuSecond = 0, best = 0] = [rates[rates.length >> 1], rates.at(-1)];
  if (typeof over !== 'function') over.close();
  return {
    name: load.name,
    callers: load.callers,
    perCpuSecond,
    best,
    perSecond: latencies.length / wall,
    p50Ms: latencies[Math.floor(latencies.length * 0.5)] ?? 0,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
    shareOfRaw: best / load.floor,
  };
}

const [ecKey, rsaKey] = keys;
const same = (): readonly string[] => [token(ecKey, 0)];
/** Each row its own, so that none is known from the row before. */
let issued = 0;
const fresh = (key: TokenKey) => (): readonly string[] => Array.from({ length: TOKENS }, () => token(key, ++issued));
// Verify the request, verify the token, sign.
const ecFloor = combined(raw.verify, raw.verify, raw.sign);
const rsaFloor = combined(raw.verify, raw.verifyRsa, raw.sign);
const sameFloor = combined(raw.verify, raw.sign);
const one = { connections: 'one', tokens: same, floor: sameFloor } as const;
const loads: readonly Load[] = [
  { ...one, name: 'one connection, one token', callers: 16 },
  { ...one, name: 'one connection, one token', callers: 64 },
  { ...one, name: 'one connection, a new ES256 token each', callers: 64, tokens: fresh(ecKey), floor: ecFloor },
  { ...one, name: 'one connection, a new RS256 token each', callers: 16, tokens: fresh(rsaKey), floor: rsaFloor },
  { ...one, name: 'one connection, a new RS256 token each', callers: 64, tokens: fresh(rsaKey), floor: rsaFloor },
  { ...one, name: 'a new connection each, one token', callers: 16, connections: 'new' },
  { ...one, name: 'a new connection each, after SETTINGS', callers: 16, connections: 'settled' },
];
const first = await session(port, rootsPem);
await drive(64, same(), first, (done) => done < WARM_UP.all);
first.close();
const only = process.env['BENCH_ONLY'];
const rows: Row[] = [];
for (const [index, load] of loads.entries()) if (only === undefined || only === String(index)) rows.push(await measure(load));
const { rssBytes } = await usage();
child.disconnect();
await once(child, 'exit');
rmSync(folder, { recursive: true });

const [load1] = loadavg();
if (process.argv.includes('json')) {
  process.stdout.write(`${JSON.stringify({ raw, rows, rssBytes, load1 }, null, 2)}\n`);
} else {
  const integer = (value: number, width: number): string => Math.round(value).toLocaleString('en').padStart(width);
  process.stdout.write(
    `node:crypto alone, a CPU second: ${integer(raw.sign, 0)} P-256 signatures, ${integer(raw.verify, 0)} verifications, ${integer(raw.verifyRsa, 0)} RSA-2048 verifications\n`,
  );
  for (const { name, callers, perCpuSecond, best, perSecond, p50Ms, p99Ms, shareOfRaw } of rows)
    process.stdout.write(
      `${name.padEnd(40)}${String(callers).padStart(3)} callers${integer(perCpuSecond, 7)} per server CPU-s (best${integer(best, 6)})${integer(perSecond, 7)}/s  p50 ${p50Ms.toFixed(1).padStart(5)} ms  p99 ${p99Ms.toFixed(1).padStart(5)} ms  ${(shareOfRaw * 100).toFixed(0).padStart(3)} % of raw\n`,
    );
  process.stdout.write(
    `server RSS ${integer(rssBytes / 2 ** 20, 0)} MiB; load average of the machine ${(load1 ?? 0).toFixed(1)}\n`,
  );
}
