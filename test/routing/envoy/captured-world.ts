// Runs inside of a network namespace of its own (`unshare --net node captured-world.ts FOLDER ENVOY`): Istio's iptables rules,
// an application, and its Envoy under the uid that the rules exempt. Asks the questions on standard input, a JSON list of
// [address, port], and prints the answers.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcpServer, connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { eventually } from '../../eventually.ts';
import { call } from './call.ts';

const ENVOY_UID = '1337';
const [folder = '', envoy = ''] = process.argv.slice(2);
const { addresses, httpPort, tcpPort, questions } = JSON.parse(await text(process.stdin)) as {
  readonly addresses: readonly string[];
  readonly httpPort: number;
  readonly tcpPort: number;
  readonly questions: readonly (readonly ['http' | 'tcp', string, number])[];
};

const run = (command: string, ...args: readonly string[]) => execFileSync(command, args, { stdio: 'pipe' });
const nat = (rule: string) => run('iptables', '-t', 'nat', ...rule.split(' '));
run('ip', 'link', 'set', 'lo', 'up');
for (const address of addresses) run('ip', 'addr', 'add', `${address}/32`, 'dev', 'lo');
for (const rule of [
  '-N IN',
  '-A IN -p tcp -j REDIRECT --to-ports 15006',
  '-N OUT',
  '-A OUT -p tcp -j REDIRECT --to-ports 15001',
  '-A OUTPUT -s 127.0.0.6/32 -o lo -j RETURN',
  `-A OUTPUT -o lo ! -d 127.0.0.1/32 -p tcp -m owner --uid-owner ${ENVOY_UID} -j IN`,
  `-A OUTPUT -m owner --uid-owner ${ENVOY_UID} -j RETURN`,
  '-A OUTPUT -d 127.0.0.1/32 -j RETURN',
  '-A OUTPUT -p tcp -j OUT',
]) {
  nat(rule);
}

const http = createServer((request, response) =>
  response.end(JSON.stringify({ server: 'application', path: request.url, headers: request.headers })),
);
const tcp = createTcpServer((socket) => socket.pipe(socket).on('error', () => socket.destroy()));
http.listen(httpPort, '0.0.0.0');
tcp.listen(tcpPort, '0.0.0.0');
await Promise.all([once(http, 'listening'), once(tcp, 'listening')]);

const admin = join(folder, 'admin.txt');
const args = ['--reuid', ENVOY_UID, '--regid', ENVOY_UID, '--clear-groups', envoy, '-c', join(folder, 'envoy.json')];
const proxy = spawn(
  'setpriv',
  [...args, '--admin-address-path', admin, '--concurrency', '1', '--disable-hot-restart', '-l', 'error'],
  {
    stdio: ['ignore', 'ignore', 'inherit'],
  },
);

async function echo(address: string, port: number): Promise<string> {
  const socket = connect(port, address);
  socket.write('hello, server');
  const first = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => ['closed'])]);
  socket.destroy();
  return String(first[0]);
}

try {
  await eventually('Envoy is live', async () => {
    if (proxy.exitCode !== null) throw new Error('Envoy ended');
    if (!existsSync(admin)) return undefined;
    return (await fetch('http://127.0.0.1:15000/ready').catch(() => undefined))?.status === 200 ? true : undefined;
  });
  const answers: unknown[] = [];
  for (const [kind, address, port] of questions) {
    const asked =
      kind === 'tcp'
        ? echo(address, port)
        : call(undefined, address, port, address, '/').then(({ status, seen }) => [
            status,
            seen['x-forwarded-client-cert'] ?? null,
          ]);
    answers.push(await asked.catch(() => 'closed'));
  }
  process.stdout.write(JSON.stringify(answers));
} finally {
  proxy.kill('SIGKILL');
  http.closeAllConnections();
  http.close();
  tcp.close();
}
