// The other end of a pod's cable: servers that say who they are, and calls into the pod on request. Started by pod.ts in a network namespace of its own.
import { execFileSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ask, serve, serveDatagrams } from './speak.ts';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value: unknown): boolean => process.stdout.write(`${JSON.stringify(value)}\n`);

say('here');
await lines.next();
for (const args of [
  'link set lo up',
  'addr add 10.9.0.1/16 dev eth0',
  'addr add 10.9.1.1/16 dev eth0',
  'addr add fd09::1/64 dev eth0 nodad',
  'link set eth0 up',
])
  execFileSync('ip', args.split(' '));
for (const port of [53, 80, 443, 8443]) await serve(port, '::', `outside ${port}`);
await serveDatagrams(53, '::', 'outside names');
say('ready');
for await (const line of lines) {
  const { host, port }: { readonly host: string; readonly port: number } = JSON.parse(line);
  say(await ask(host, port));
}
