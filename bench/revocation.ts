// From `gatehouse ca revoke` to the refusal at every proxy: proxies in this process that speak delta xDS over mutual TLS and
// acknowledge, and real Envoys that are asked until they refuse, on a connection that was open before and on new ones. Times run from the
// start of the command. Usage: node bench/revocation.ts [proxies] [envoys] [rounds] [-o json]
import { X509Certificate } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { TlsConnection } from '../test/feature/tls-connection.ts';
import { Proxy } from './revocation/proxy.ts';
import { type Certificate, startWorld } from './revocation/world.ts';

const [proxyCount = 100, envoyCount = 3, rounds = 5] = process.argv
  .slice(2)
  .filter((text) => /^\d+$/.test(text))
  .map(Number);
const envoy = process.env['GATEHOUSE_ENVOY'] ?? 'envoy';
const world = await startWorld(proxyCount, envoyCount, envoy);
const proxies: Proxy[] = [];
const connections: TlsConnection[] = [];

/** Asks until the answer is the wanted one; when it was. */
async function until(wanted: string, status: () => Promise<string>): Promise<number> {
  for (;;) {
    if ((await status()) === wanted) return performance.now();
    await setTimeout(2);
  }
}

function connect(ip: string, own: Certificate): TlsConnection {
  const connection = new TlsConnection(ip, 8080, own);
  connections.push(connection);
  return connection;
}

async function fresh(ip: string, own: Certificate): Promise<string> {
  const connection = new TlsConnection(ip, 8080, own);
  const status = await connection.status();
  connection.close();
  return status;
}

type Figures = Readonly<Record<'command' | 'denial' | 'lists' | 'openConnection' | 'newConnection', number>>;

const latest = (times: readonly number[]): number => Math.max(0, ...times);

async function round(kind: 'identity' | 'serial', index: number): Promise<Figures> {
  const account = `caller-${kind}-${index}`;
  const own = await world.certificate(account);
  const serial = new X509Certificate(own.cert).serialNumber.toLowerCase();
  const identity = `cluster.local/ns/bench/sa/${account}`;
  const words = kind === 'identity' ? `spiffe://${identity}` : serial;
  const open = world.envoys.map(({ ip }) => connect(ip, own));
  await Promise.all(open.map((connection) => until('200', () => connection.status())));
  const target = kind === 'identity' ? ['--identity', identity] : ['--serial', serial];
  const began = performance.now();
  const [command, denial, lists, refused, closed] = await Promise.all([
    world.command('ca', 'revoke', '--ca-dir', world.caDir, ...target),
    Promise.all(proxies.map((proxy) => proxy.when('denial', words))),
    Promise.all(proxies.map((proxy) => proxy.when('lists', 'X509 CRL'))),
    Promise.all(open.map((connection) => until('403', () => connection.status()))),
    Promise.all(world.envoys.map(({ ip }) => until('refused', () => fresh(ip, own)))),
  ]);
  await world.command('ca', 'revoke', '--ca-dir', world.caDir, ...target, '--undo');
  await Promise.all(proxies.flatMap((proxy) => [proxy.when('denial', words, false), proxy.when('lists', 'X509 CRL', false)]));
  for (const connection of open) connection.close();
  return {
    command,
    denial: latest(denial) - began,
    lists: latest(lists) - began,
    openConnection: latest(refused) - began,
    newConnection: latest(closed) - began,
  };
}

try {
  for (let at = 0; at < world.proxies.length; at += 16)
    await Promise.all(
      world.proxies.slice(at, at + 16).map(async (pod) => {
        const node = `sidecar~${pod.ip}~${pod.name}.${pod.namespace}~${pod.namespace}.svc.cluster.local`;
        proxies.push(new Proxy(world.grpc, world.rootsPem, node, await world.certificate(pod.serviceAccount)));
      }),
    );
  await Promise.all(proxies.map((proxy) => proxy.when('lists', 'BEGIN CERTIFICATE')));
  const rows: { readonly kind: string; readonly figures: readonly Figures[] }[] = [];
  for (const kind of ['identity', 'serial'] as const) {
    const figures: Figures[] = [];
    for (let index = 0; index < rounds; index++) figures.push(await round(kind, index));
    rows.push({ kind, figures });
  }
  if (process.argv.includes('json')) process.stdout.write(`${JSON.stringify({ proxyCount, envoyCount, rows }, null, 2)}\n`);
  else print(rows);
} finally {
  for (const proxy of proxies) proxy.close();
  for (const connection of connections) connection.close();
  await world.close();
}

function print(rows: readonly { readonly kind: string; readonly figures: readonly Figures[] }[]): void {
  const columns: Readonly<Record<keyof Figures, string>> = {
    command: 'the command itself',
    denial: `denial at all ${proxyCount}`,
    lists: `list at all ${proxyCount}`,
    openConnection: `${envoyCount} Envoys, open`,
    newConnection: `${envoyCount} Envoys, new`,
  };
  const cell = (text: string): string => text.padStart(22);
  process.stdout.write(`ms, median (worst) of ${rounds}\n${''.padEnd(10)}${Object.values(columns).map(cell).join('')}\n`);
  for (const { kind, figures } of rows) {
    const cells = (Object.keys(columns) as (keyof Figures)[]).map((name) => {
      const sorted = figures.map((row) => row[name]).sort((one, other) => one - other);
      return cell(`${Math.round(sorted[sorted.length >> 1] ?? 0)} (${Math.round(sorted.at(-1) ?? 0)})`);
    });
    process.stdout.write(`${kind.padEnd(10)}${cells.join('')}\n`);
  }
}
