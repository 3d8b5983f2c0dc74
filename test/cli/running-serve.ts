import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from '../feature/running-mesh.ts';

/** Runs the command line from its source. */
export const MAIN: readonly string[] = ['--disable-warning=ExperimentalWarning', join(root, 'cli', 'main.ts')];

export const serviceOf = (name: string): string => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {selector: {app: ${name}}, ports: [{name: http, port: 80, targetPort: 8080}]}
---`;

/** A Pod, and the Service in front of it. */
export const MESH = `
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web}}
spec: {serviceAccountName: web, containers: [{name: web, image: web, ports: [{containerPort: 8080}]}]}
status: {podIP: 10.0.0.5}
---${serviceOf('web')}`;

export interface Ready {
  readonly grpc: string | null;
  readonly rootCert: string;
  readonly http: string;
  readonly plaintextXds: string | null;
  readonly webhooks?: string;
}

/** `gatehouse serve` as a process of its own, on free ports, with what it keeps in a folder under its name. */
export class RunningServe {
  readonly #child: ChildProcess;
  readonly #ready: Promise<Ready | undefined>;
  readonly #ended: Promise<number | null>;
  #errors = '';

  /** @param mesh a folder, or the flags that say where the mesh is */
  constructor(mesh: string | readonly string[], ownFolder: string, ...flags: readonly string[]) {
    mkdirSync(ownFolder, { recursive: true });
    const source = typeof mesh === 'string' ? ['-f', mesh] : mesh;
    const own = [...source, '--ca-dir', join(ownFolder, 'ca'), '--audit-db', join(ownFolder, 'audit.db')];
    const addresses = ['--grpc-address', '127.0.0.1:0', '--http-address', '127.0.0.1:0'];
    const child = spawn(process.execPath, [...MAIN, 'serve', ...own, ...addresses, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stderr.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()));
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('close', resolve));
    this.#ready = new Promise((resolve) => {
      const lines = createInterface({ input: child.stdout });
      lines.once('line', (line) => resolve(JSON.parse(line)));
      lines.once('close', () => resolve(undefined));
    });
  }

  /** What it has said on its standard error. */
  get errors(): string {
    return this.#errors;
  }

  get pid(): number {
    return this.#child.pid ?? assert.fail('serve was not started');
  }

  async ready(): Promise<Ready> {
    return (await this.#ready) ?? assert.fail(`serve ended before it was ready: ${this.#errors}`);
  }

  /** Where it serves xDS in plain text, as it was told to. */
  async plaintextXds(): Promise<string> {
    return (await this.ready()).plaintextXds ?? assert.fail('serves no xDS in plain text');
  }

  /** Of its webhooks, as it was told to serve them. */
  async webhookPort(): Promise<number> {
    return Number((await this.ready()).webhooks?.split(':')[1] ?? assert.fail('the webhooks are not served'));
  }

  get over(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** The code with which it ends by itself, when all that it said has been read. */
  ended(): Promise<number | null> {
    return this.#ended;
  }

  /** Ends it, and returns its code. */
  stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    return this.ended();
  }

  /** As when its machine is gone. */
  kill(): Promise<number | null> {
    this.#child.kill('SIGKILL');
    return this.ended();
  }
}
