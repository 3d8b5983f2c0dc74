// How long the first call to a service takes under an automatic scope, and the next ones: a whole mesh with mutual TLS, one caller, many Services
// before one server. Usage: node bench/first-call.ts [services, 100]
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunningMesh, root } from '../test/feature/running-mesh.ts';

const services = Number(process.argv[2] ?? 100);

const service = (at: number): string => `apiVersion: v1
kind: Service
metadata: {name: svc-${String(at)}, namespace: pair}
spec: {selector: {app: server}, ports: [{name: http, port: 8080}]}
---
`;

function call(proxy: string, agent: Agent, at: number, body: string | undefined): Promise<number> {
  const begin = performance.now();
  return new Promise((resolve, reject) => {
    request(
      {
        host: proxy,
        port: 15001,
        agent,
        method: body === undefined ? 'GET' : 'POST',
        path: `http://svc-${String(at)}.pair:8080/`,
        headers: { host: `svc-${String(at)}.pair:8080` },
      },
      (response) => {
        response.resume();
        response.on('end', () =>
          response.statusCode === 200
            ? resolve(performance.now() - begin)
            : reject(new Error(`svc-${String(at)}: ${String(response.statusCode)}`)),
        );
      },
    )
      .on('error', reject)
      .end(body);
  });
}

function shown(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1);
  return `median ${at(0.5)} ms, p90 ${at(0.9)} ms, most ${at(1)} ms`;
}

async function measure(flags: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-first-call-'));
  const mesh = join(folder, 'pair');
  mkdirSync(mesh);
  cpSync(join(root, 'test', 'feature', 'meshes', 'pair'), mesh, { recursive: true });
  writeFileSync(join(mesh, 'services.yaml'), Array.from({ length: services }, (_, at) => service(at)).join(''));
  const running = await RunningMesh.start([mesh], 'explicit', flags);
  try {
    const { appAddress } = running.workload('pair/client');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const rounds: number[][] = [[], [], []];
    for (const round of rounds)
      for (let at = 0; at < services; at += 1)
        round.push(await call(appAddress, agent, at, at % 2 === 0 ? undefined : 'x'.repeat(1000)));
    agent.destroy();
    for (const [round, times] of rounds.entries())
      process.stdout.write(`${flags.join(' ') || 'all services'}, call ${String(round + 1)}: ${shown(times)}\n`);
  } finally {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

await measure([]);
await measure(['--automatic-scope']);
