// The other end of the cable of captured-pod.ts: servers at addresses of their own. One line of what is to be there, then one for each question.
import { execFileSync } from 'node:child_process';
import { isIPv6 } from 'node:net';
import { createInterface } from 'node:readline';
import { asked, type Question, startServers } from './captured-servers.ts';

interface Place {
  readonly others: Readonly<Record<string, readonly string[]>>;
  readonly ports: { readonly http: number; readonly tcp: number };
}

const say = (what: unknown) => process.stdout.write(`${JSON.stringify(what)}\n`);
const ip = (args: string) => execFileSync('ip', args.split(' '), { stdio: 'pipe' });
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
say('here');
const { others, ports } = JSON.parse(String((await lines.next()).value)) as Place;
ip('link set lo up');
for (const address of Object.values(others).flat())
  ip(isIPv6(address) ? `addr add ${address}/64 dev eth0 nodad` : `addr add ${address}/24 dev eth0`);
ip('link set eth0 up');
for (const [name, addresses] of Object.entries(others)) for (const address of addresses) await startServers(name, address, ports);
say('ready');
for (let line = await lines.next(); line.done !== true; line = await lines.next())
  say(await asked(JSON.parse(line.value) as Question));
