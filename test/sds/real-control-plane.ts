// `gatehouse serve` and `gatehouse agent` as processes of their own: nothing between them is a test's.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { account, ISSUER, type TokenIssuer, tokenIssuer } from '../ca/world.ts';
import { RunningAgent, testFolder } from './running-agent.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

interface Ready {
  readonly grpc: string;
  readonly rootCert: string;
}

export interface RealWorld {
  readonly folder: string;
  readonly agent: RunningAgent;
  readonly tokens: TokenIssuer;
  readonly ready: Ready;
  /** The Unix socket of the workload shop/cart-0. */
  readonly socket: string;
  /** What the control plane wrote to its log lately. */
  log(): string;
  /** Ends the control plane; the agent goes on. */
  endControlPlane(): Promise<void>;
  stop(): Promise<void>;
}

export interface RealOptions {
  readonly workload?: Record<string, unknown>;
  readonly top?: Record<string, unknown>;
  /** The subject of the workload's token; default: the service account shop/cart. */
  readonly account?: string;
  readonly trustDomain?: string;
  /** Other users may pass through the folder. */
  readonly passable?: boolean;
  /** Further flags of `gatehouse serve`. */
  readonly serve?: readonly string[];
}

/**
 * A control plane and an agent with the workload shop/cart-0, whose certificates live for `ttl`.
 * @param more fields of the agent's configuration; `workload` goes to the one workload
 */
export async function realWorld(ttl: string, more: RealOptions = {}): Promise<RealWorld> {
  const folder = testFolder();
  if (more.passable === true) chmodSync(folder, 0o711);
  const tokens = tokenIssuer();
  writeFileSync(join(folder, 'jwks.json'), await tokens.jwks());
  writeFileSync(join(folder, 'token'), await tokens.token({ sub: more.account ?? account('shop', 'cart') }));
  const { trustDomain = 'cluster.local' } = more;
  writeFileSync(join(folder, 'mesh-config.yaml'), `trustDomain: ${trustDomain}\n`);
  mkdirSync(join(folder, 'mesh'));
  writeFileSync(join(folder, 'mesh', 'shop.yaml'), 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n');
  const { child, ready, stderr } = await serve(folder, more.serve ?? []);
  const config = {
    controlPlane: { address: ready.grpc, serverName: 'gatehouse', rootCert: ready.rootCert },
    runDir: 'run',
    certificateTtl: ttl,
    trustDomain,
    ...more.top,
    workloads: [
      {
        ...{ namespace: 'shop', serviceAccount: 'cart', pod: 'cart-0', ip: '127.0.0.1', tokenFile: 'token', envoy: false },
        ...more.workload,
      },
    ],
  };
  const agent = RunningAgent.start(folder, config);
  const endControlPlane = async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await ended;
  };
  const { sdsSocket } = await agent.event('ready').catch(async (error: Error) => {
    await agent.stop();
    await endControlPlane();
    throw new Error(`${error.message}\n${stderr()}`, { cause: error });
  });
  return {
    folder,
    agent,
    tokens,
    ready,
    socket: sdsSocket,
    log: stderr,
    endControlPlane,
    async stop() {
      await agent.stop();
      await endControlPlane();
      agent.remove();
    },
  };
}

async function serve(
  folder: string,
  more: readonly string[],
): Promise<{ child: ChildProcess; ready: Ready; stderr: () => string }> {
  const program = `import { serveCommand } from ${JSON.stringify(pathToFileURL(join(root, 'cli', 'serve.ts')).href)};
    await serveCommand().parseAsync(process.argv.slice(1), { from: 'user' });`;
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program, '--'];
  const args = [
    ...['-f', join(folder, 'mesh'), '--ca-dir', join(folder, 'ca'), '--audit-db', join(folder, 'audit.db')],
    ...['--grpc-address', '127.0.0.1:0', '--http-address', '127.0.0.1:0'],
    ...['--jwks', join(folder, 'jwks.json'), '--token-issuer', ISSUER],
    ...['--mesh-config', join(folder, 'mesh-config.yaml'), ...more],
  ];
  const child = spawn(process.execPath, [...flags, ...args], { stdio: ['ignore', 'pipe', 'pipe'], cwd: root });
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => (text = (text + chunk.toString()).slice(-5000)));
  for await (const line of createInterface({ input: child.stdout })) {
    const ready: Ready = JSON.parse(line);
    return { child, ready, stderr: () => text };
  }
  throw new Error(`the control plane ended before it was ready:\n${text}`);
}
