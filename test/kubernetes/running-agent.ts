import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { MAIN } from '../cli/running-serve.ts';
import { eventually } from '../eventually.ts';
import { at } from './api-server.ts';

export interface AgentWish {
  readonly folder: string;
  readonly envoy: string;
  /** `host:port` of `gatehouse serve`. */
  readonly grpc: string;
  readonly rootCert: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
  readonly ip: string;
  /** A ServiceAccount's token, as the kubelet would mount it. */
  readonly token: string;
  readonly kind?: 'sidecar' | 'router';
  /** Further arguments. */
  readonly args?: readonly string[];
}

/** `gatehouse agent` with the Envoy of one Pod, as both would run in its sidecar. */
export class RunningAgent {
  readonly #child: ChildProcess;
  #adminSocket: string | undefined;
  #said = '';

  constructor({ folder, envoy, grpc, rootCert, token, args = [], ...workload }: AgentWish) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'token'), token, { mode: 0o600 });
    writeFileSync(
      join(folder, 'agent.yaml'),
      stringify({
        controlPlane: { address: grpc, serverName: 'localhost', rootCert },
        runDir: join(folder, 'run'),
        envoy,
        drainTime: '1s',
        workloads: [{ ...workload, tokenFile: join(folder, 'token'), envoy: { concurrency: 1 } }],
      }),
    );
    this.#child = spawn(process.execPath, [...MAIN, 'agent', '--config', join(folder, 'agent.yaml'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error('the agent has no output');
    stderr.on('data', (chunk: Buffer) => (this.#said += chunk.toString()));
    createInterface({ input: stdout }).on('line', (line) => {
      this.#said += `${line}\n`;
      const event: unknown = JSON.parse(line);
      const socket = at(event, 'adminSocket');
      if (at(event, 'event') === 'ready' && typeof socket === 'string') this.#adminSocket = socket;
    });
  }

  /** Its Envoy's admin interface; waits until that is live. */
  async admin(path: string): Promise<string> {
    const socketPath = await eventually(
      `Envoy is live: ${this.#said}`,
      () => {
        if (this.#child.exitCode !== null) throw new Error(`the agent ended:\n${this.#said}`);
        return this.#adminSocket;
      },
      60_000,
    );
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath, path, timeout: 10_000 }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve(text));
        response.on('error', reject);
      });
      sent.on('error', reject);
      sent.end();
    });
  }

  /** Its events and its log. */
  get said(): string {
    return this.#said;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await gone;
  }
}
