import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Running {
  readonly pid: number;
  readonly http: string;
  readonly webhooks: string;
  /** Seconds until everything was seen and it was ready. */
  readonly readyAfter: number;
  readonly log: () => string;
  close(): Promise<void>;
}

export interface Place {
  readonly dir: string;
  readonly url: string;
  readonly ca: string;
  readonly token: string;
  readonly namespace: string;
  readonly kubeconfig: string;
  readonly nodeFlags: readonly string[];
}

const MOUNTED = '/var/run/secrets/kubernetes.io/serviceaccount';
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** `gatehouse serve --kubernetes` as in a Pod of the installation, with its token and its rights; without root by a kubeconfig, whose library costs memory. */
export async function startServe(place: Place): Promise<Running> {
  const { dir, url, ca, token, namespace, kubeconfig, nodeFlags } = place;
  mkdirSync(join(dir, 'account'), { recursive: true });
  for (const [name, text] of Object.entries({ 'ca.crt': ca, token, namespace })) writeFileSync(join(dir, 'account', name), text);
  const main = join(import.meta.dirname, '..', '..', 'cli', 'main.ts');
  const asPod = process.getuid?.() === 0;
  const args = ['serve', '--kubernetes', '--system-namespace', namespace, '--cluster-role', 'gatehouse'];
  args.push('--ca-dir', join(dir, 'ca'), '--audit-db', join(dir, 'audit.db'), '--webhook-address', '127.0.0.1:0');
  for (const flag of ['--grpc-address', '--http-address']) args.push(flag, '127.0.0.1:0');
  if (!asPod) args.push('--kubeconfig', kubeconfig);
  const words = [process.execPath, '--disable-warning=ExperimentalWarning', ...nodeFlags, main, ...args];
  // A mount namespace of its own, in which the account is where a kubelet puts it.
  const mounted = `mount -t tmpfs tmpfs /var/run && mkdir -p ${MOUNTED} && cp ${quoted(join(dir, 'account'))}/* ${MOUNTED} && exec ${words.map(quoted).join(' ')}`;
  const { hostname, port } = new URL(url);
  const env = asPod ? { ...process.env, KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port } : process.env;
  const log = join(dir, 'server.log');
  const began = performance.now();
  const [program = '', ...rest] = asPod ? ['unshare', '-m', 'sh', '-c', mounted] : words;
  const child = spawn(program, rest, { env, stdio: ['ignore', 'pipe', openSync(log, 'w')] });
  const stop = (): void => void child.kill('SIGKILL');
  process.once('exit', stop);
  const lines = createInterface({ input: child.stdout ?? process.stdin });
  const line = await Promise.race([
    once(lines, 'line').then(([text]: readonly unknown[]) => String(text)),
    once(child, 'exit').then((): never => {
      throw new Error(`gatehouse serve ended:\n${readFileSync(log, 'utf8').slice(-3000)}`);
    }),
  ]);
  const ready: { readonly http: string; readonly webhooks: string; readonly pid: number } = JSON.parse(line);
  return {
    ...ready,
    readyAfter: (performance.now() - began) / 1000,
    log: () => readFileSync(log, 'utf8'),
    async close() {
      process.off('exit', stop);
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const late = setTimeout(stop, 20_000);
      await gone;
      clearTimeout(late);
    },
  };
}
