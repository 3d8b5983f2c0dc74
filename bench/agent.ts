// What one agent costs with many workloads (no Envoys): memory of each, processor time while nothing happens, and how long the first
// certificates take. The agent is a process of its own; the authority answers from this one.
// Usage: node bench/agent.ts [workloads] [seconds at rest]
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TestAuthority } from '../test/sds/authority.ts';

const WORKLOADS = Number(process.argv[2] ?? 500);
const SECONDS = Number(process.argv[3] ?? 20);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** What Linux counts processor time in. */
const TICKS_PER_SECOND = 100;

interface Usage {
  readonly rssMb: number;
  readonly cpuSeconds: number;
}

function usage({ pid }: ChildProcess): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const kb = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  return { rssMb: kb / 1024, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND };
}

async function measure(count: number, authority: TestAuthority): Promise<Record<string, string | number>> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
  writeFileSync(join(folder, 'root.pem'), authority.rootPem);
  writeFileSync(join(folder, 'token'), 'a.b.c\n');
  const workloads = Array.from({ length: count }, (_, index) => ({
    namespace: 'shop',
    serviceAccount: `account-${index}`,
    pod: `pod-${index}`,
    ip: '127.0.0.1',
    tokenFile: 'token',
    envoy: false,
  }));
  const controlPlane = { address: authority.address, rootCert: 'root.pem' };
  writeFileSync(join(folder, 'agent.yaml'), JSON.stringify({ controlPlane, runDir: 'run', workloads }));
  const main = join(root, 'cli', 'main.ts');
  const began = performance.now();
  const agent = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', main, 'agent', '--config', join(folder, 'agent.yaml')],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  let issued = 0;
  let failed = 0;
  for await (const line of createInterface({ input: agent.stdout })) {
    if (line.startsWith('{"event":"issued"')) issued += 1;
    if (line.startsWith('{"event":"failed"')) failed += 1;
    if (issued >= count) break;
  }
  const startedMs = performance.now() - began;
  // Sockets are opened beside; garbage of the start is collected when there is time.
  await sleep(20_000);
  const before = usage(agent);
  await sleep(SECONDS * 1000);
  const after = usage(agent);
  agent.stdout.resume();
  agent.kill('SIGTERM');
  await new Promise((resolve) => agent.once('close', resolve));
  rmSync(folder, { recursive: true, force: true });
  return {
    workloads: count,
    'first certificates, s': Number((startedMs / 1000).toFixed(1)),
    'failed attempts': failed,
    'CPU-s until then': before.cpuSeconds,
    'RSS, MB': Math.round(after.rssMb),
    'CPU at rest, %': Number((((after.cpuSeconds - before.cpuSeconds) / SECONDS) * 100).toFixed(2)),
  };
}

const authority = await TestAuthority.start();
const rows = [await measure(1, authority), await measure(WORKLOADS, authority)];
authority.down();
console.table(rows);
const [one, many] = rows;
const each = ((Number(many?.['RSS, MB']) - Number(one?.['RSS, MB'])) * 1024) / (WORKLOADS - 1);
console.log(`${each.toFixed(0)} KB for each workload beyond the first`);
