// Runs in a network namespace of its own (`unshare --net node pod.ts`): a pod with an application, servers in the place of its proxy, and another host at the end of a cable. Does what the
// lines of its standard input say, one answer a line.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { ask, askDatagram, serve, serveDatagrams } from './speak.ts';

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const MAIN = here('../../../cli/main.ts');
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning'] as const;
const ip = (args: string): Buffer => execFileSync('ip', args.split(' '));

export type Line =
  | { readonly does: 'capture'; readonly args: readonly string[]; readonly uid?: number; readonly killAfterMs?: number }
  | {
      readonly does: 'ask';
      readonly from: 'application' | 'proxy' | 'outside' | 'datagram';
      readonly host: string;
      readonly port: number;
      readonly local?: string;
    }
  | { readonly does: 'rules'; readonly program: 'iptables' | 'ip6tables' }
  | { readonly does: 'run'; readonly command: string };

ip('link set lo up');
const outside = spawn('unshare', ['--net', ...NODE, here('./outside.ts')], { stdio: ['pipe', 'pipe', 'inherit'] });
const told = createInterface({ input: outside.stdout })[Symbol.asyncIterator]();
const answer = async (): Promise<unknown> => JSON.parse(String((await told.next()).value));
await answer();
ip(`link add eth0 type veth peer name eth0 netns ${outside.pid}`);
for (const args of ['addr add 10.9.0.2/16 dev eth0', 'addr add fd09::2/64 dev eth0 nodad', 'link set eth0 up']) ip(args);
outside.stdin.write('go\n');
await answer();
await serve(15_001, '::', 'outbound port');
await serve(8080, '::', 'application');
await serve(9090, '::', 'application 9090');
await serveDatagrams(15_053, '::', 'names of the agent');
// The probe opens the inbound port itself, so that this one is only there while questions are asked.
const inbound = spawn(
  NODE[0],
  [
    '-e',
    "require('node:net').createServer((s) => s.on('error', () => {}).end('inbound port')).listen(15006, '::', () => console.log('up'))",
  ],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);
await createInterface({ input: inbound.stdout })[Symbol.asyncIterator]().next();

interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Not in step: the servers of this process are to answer meanwhile. */
async function ran(words: readonly string[], uid?: number, killAfterMs?: number): Promise<Ran> {
  const as = uid === undefined ? [] : ['setpriv', '--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
  const [file = '', ...args] = [...as, ...words];
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  clearTimeout(timer);
  return { status: child.exitCode, out, err };
}

async function done(line: Line): Promise<unknown> {
  switch (line.does) {
    case 'capture':
      return ran([...NODE, MAIN, 'capture', ...line.args], line.uid, line.killAfterMs);
    case 'ask':
      if (line.from === 'application') return ask(line.host, line.port);
      if (line.from === 'datagram') return askDatagram(line.host, line.port);
      if (line.from === 'outside') {
        outside.stdin.write(`${JSON.stringify(line)}\n`);
        return answer();
      }
      return (
        await ran(
          [...NODE, here('./speak.ts'), 'ask', line.host, String(line.port), ...(line.local === undefined ? [] : [line.local])],
          1337,
        )
      ).out;
    case 'rules':
      return (await ran([`${line.program}-save`, '-t', 'nat'])).out;
    case 'run':
      if (line.command !== 'free the inbound port') return ran(['sh', '-c', line.command]);
      inbound.kill('SIGKILL');
      await once(inbound, 'exit');
      return {};
    default:
      return line satisfies never;
  }
}

process.stdout.write('"ready"\n');
for await (const one of createInterface({ input: process.stdin })) {
  const line: Line = JSON.parse(one);
  process.stdout.write(`${JSON.stringify(await done(line))}\n`);
}
inbound.kill('SIGKILL');
outside.kill('SIGKILL');
