// Runs inside of network and mount namespaces of its own (`unshare --net --mount node captured-pod.ts FOLDER ENVOY`): a pod with the iptables rules of
// `gatehouse up`, an application, and its Envoy under the user that the rules exempt. Beside it, at the other end of a cable, are servers that
// know nothing of a mesh. Asks the questions that are written to standard input, and prints the answers.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { redirectRules } from '../../../cli/up/netns/rules.ts';
import { eventually } from '../../eventually.ts';
import { asked, type Question, startServers } from './captured-servers.ts';

export interface World {
  /** Addresses of the pod. */
  readonly own: readonly string[];
  /** Servers at the other end, by name. */
  readonly others: Readonly<Record<string, readonly string[]>>;
  readonly ports: { readonly http: number; readonly tcp: number };
  /** Of /etc/hosts, which the pod's proxy resolves names by. */
  readonly hosts: readonly string[];
  /** Asked from inside the pod, or of it from outside. */
  readonly questions: readonly (Question & { readonly from?: 'outside' })[];
}

const PROXY_USER = 1337;
const [folder = '', envoy = ''] = process.argv.slice(2);
const world = JSON.parse(await text(process.stdin)) as World;

const run = (command: string, args: string, input = '') => execFileSync(command, args.split(' '), { stdio: 'pipe', input });
const addAddress = (device: string, address: string) =>
  isIPv6(address) ? `addr add ${address}/64 dev ${device} nodad` : `addr add ${address}/24 dev ${device}`;

run('ip', 'link set lo up');
writeFileSync(join(folder, 'hosts'), `127.0.0.1 localhost\n${world.hosts.join('\n')}\n`);
run('mount', `--bind ${join(folder, 'hosts')} /etc/hosts`);

const outside = spawn(
  'unshare',
  [
    '--net',
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    fileURLToPath(new URL('./captured-outside.ts', import.meta.url)),
  ],
  { stdio: ['pipe', 'pipe', 'inherit'] },
);
const lines = createInterface({ input: outside.stdout })[Symbol.asyncIterator]();
const told = async (): Promise<string> => String((await lines.next()).value);

const usesIpv6 = world.own.some((address) => isIPv6(address));
const pids: number[] = [];
const servers: { close(): void }[] = [];
try {
  await told();
  run('ip', `link add eth0 type veth peer name eth0 netns ${outside.pid}`);
  for (const rules of usesIpv6 ? ([4, 6] as const) : ([4] as const))
    run(
      rules === 6 ? 'ip6tables-restore' : 'iptables-restore',
      '-n',
      redirectRules({ proxyUser: PROXY_USER, outboundPort: 15001, inboundPort: 15006, family: rules }),
    );
  // From here the proxy calls its own application over IPv6, as from 127.0.0.6.
  if (usesIpv6) run('ip', 'addr add ::6/128 dev lo nodad');
  for (const address of world.own) run('ip', addAddress('eth0', address));
  run('ip', 'link set eth0 up');
  // Addresses of Services need a route to be sent to at all; the rules take them before they leave.
  run('ip', 'route add default dev eth0');
  if (usesIpv6) run('ip', '-6 route add default dev eth0');
  outside.stdin.write(`${JSON.stringify({ others: world.others, ports: world.ports })}\n`);
  await told();
  servers.push(
    await startServers(
      'application',
      world.own.every((address) => isIPv6(address)) ? '::' : usesIpv6 ? '::' : '0.0.0.0',
      world.ports,
    ),
  );

  const admin = join(folder, 'admin.txt');
  const args = [
    '--reuid',
    String(PROXY_USER),
    '--regid',
    String(PROXY_USER),
    '--clear-groups',
    envoy,
    '-c',
    join(folder, 'envoy.json'),
  ];
  const proxy = spawn(
    'setpriv',
    [...args, '--admin-address-path', admin, '--concurrency', '1', '--disable-hot-restart', '-l', 'error'],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  if (proxy.pid !== undefined) pids.push(proxy.pid);
  await eventually('Envoy is live', async () => {
    if (proxy.exitCode !== null) throw new Error('Envoy ended');
    if (!existsSync(admin)) return undefined;
    return (await fetch('http://127.0.0.1:15000/ready').catch(() => undefined))?.status === 200 ? true : undefined;
  });
  const answers: unknown[] = [];
  for (const { from, ...question } of world.questions) {
    if (from === undefined) {
      answers.push(await asked(question));
      continue;
    }
    outside.stdin.write(`${JSON.stringify(question)}\n`);
    answers.push(JSON.parse(await told()));
  }
  process.stdout.write(JSON.stringify(answers));
} finally {
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  for (const server of servers) server.close();
  outside.kill('SIGKILL');
  if (outside.exitCode === null && outside.signalCode === null) await once(outside, 'exit');
}
