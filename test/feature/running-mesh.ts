// A whole mesh for a test: `gatehouse up` as a user starts it, on a folder of its own, and ways to change it and to ask it.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const samples = join(root, 'manifests', 'samples');
const seeds = process.env['GATEHOUSE_SEEDS'] ?? join(root, '..', 'shared', 'seeds');

export type CaptureMode = 'explicit' | 'netns';

export interface RunningWorkload {
  readonly workload: string;
  readonly pod: string;
  readonly ip: string;
  readonly appAddress: string;
  readonly adminSocket: string;
  readonly netns?: string;
}

interface ReadyEvent {
  readonly gateway: string;
  readonly controlPlane: { readonly grpc: string; readonly http: string; readonly pid: number; readonly rootCert: string };
  readonly runDir: string;
  readonly workloads: readonly RunningWorkload[];
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Waits until `probe` gives a value; fails with `what` after the deadline. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  deadlineMs = 20_000,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > end) assert.fail(`not within ${String(deadlineMs)} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const agent = new Agent({ keepAlive: true, maxSockets: 8 });

/** One HTTP request to an address of the mesh; never rejects for a status. */
export function get(address: string, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Reply> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, path, method, headers, agent, timeout: 15_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }),
      );
      response.on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer from ${address}${path} in 15 s`)));
    sent.on('error', reject);
    sent.end();
  });
}

export class RunningMesh {
  readonly dir: string;
  readonly ready: ReadyEvent;
  readonly #up: ChildProcess;
  readonly #output: string[];

  private constructor(dir: string, ready: ReadyEvent, up: ChildProcess, output: string[]) {
    this.dir = dir;
    this.ready = ready;
    this.#up = up;
    this.#output = output;
  }

  /** Starts a mesh on copies of `sources` (files or folders) and waits until every proxy serves. */
  static async start(sources: readonly string[], capture: CaptureMode, flags: readonly string[] = []): Promise<RunningMesh> {
    const dir = mkdtempSync(join(tmpdir(), 'gatehouse-feature-'));
    const config = join(dir, 'mesh');
    mkdirSync(config);
    for (const source of sources) {
      const name = source.split('/').at(-1) ?? 'input';
      cpSync(source, join(config, name), { recursive: true });
    }
    const main = join(root, 'dist', 'cli', 'main.js');
    const args = [
      '--disable-warning=ExperimentalWarning',
      main,
      'up',
      '-f',
      config,
      '--capture',
      capture,
      '--gateway-port',
      '0',
      '--run-dir',
      join(dir, 'run'),
      '-o',
      'json',
      ...flags,
    ];
    const up = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const output: string[] = [];
    const keep = (line: string) => {
      output.push(line);
      if (output.length > 400) output.shift();
    };
    createInterface({ input: up.stderr }).on('line', keep);
    const lines = createInterface({ input: up.stdout });
    const ready = await new Promise<ReadyEvent>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`the mesh was not ready in 60 s:\n${output.slice(-60).join('\n')}`)),
        60_000,
      );
      up.once('exit', (code) => {
        clearTimeout(timer);
        reject(new Error(`gatehouse up ended with ${String(code)}:\n${output.slice(-60).join('\n')}`));
      });
      lines.on('line', (line) => {
        keep(line);
        const event: unknown = JSON.parse(line);
        if (typeof event === 'object' && event !== null && 'event' in event && event.event === 'ready') {
          clearTimeout(timer);
          up.removeAllListeners('exit');
          resolve(event as unknown as ReadyEvent);
        }
      });
    });
    return new RunningMesh(config, ready, up, output);
  }

  get gateway(): string {
    return this.ready.gateway;
  }

  /** What `up` printed lately, for messages of failed assertions. */
  log(): string {
    return this.#output.slice(-60).join('\n');
  }

  /** The state of the control plane: its snapshot and what each proxy has acknowledged. */
  async status(): Promise<{ snapshot: number; proxies: readonly { node: string; acknowledged: number }[] } | undefined> {
    try {
      const reply = await get(this.ready.controlPlane.http, '/debug/syncz');
      return reply.status === 200 ? (JSON.parse(reply.body) as Awaited<ReturnType<RunningMesh['status']>>) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Changes the mesh and waits until every proxy has acknowledged a snapshot that came after. */
  async change(make: () => void | Promise<void>): Promise<void> {
    const before = await until('control plane status', () => this.status());
    await make();
    await until('a new snapshot acknowledged by all', async () => {
      const now = await this.status();
      if (now === undefined || now.snapshot <= before.snapshot || now.proxies.length === 0) return undefined;
      return now.proxies.every((proxy) => proxy.acknowledged >= now.snapshot) ? true : undefined;
    });
  }

  /** Puts a seed article's YAML, as it stands, into the mesh under a file name. */
  async applySeed(name: string, as = 'rules.yaml', edit: (text: string) => string = (text) => text): Promise<void> {
    await this.apply(edit(readFileSync(join(seeds, name), 'utf8')), as);
  }

  /** Writes `text` to a file of the mesh's folder and waits for it to be in force. */
  async apply(text: string, as = 'rules.yaml'): Promise<void> {
    await this.change(() => writeFileSync(join(this.dir, as), text));
  }

  async remove(name: string): Promise<void> {
    await this.change(() => rmSync(join(this.dir, name)));
  }

  workload(name: string): RunningWorkload {
    const found = this.ready.workloads.find((entry) => entry.workload === name);
    assert.ok(found, `no workload ${name} among ${this.ready.workloads.map((entry) => entry.workload).join(', ')}`);
    return found;
  }

  async stop(): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      if (this.#up.exitCode !== null || this.#up.signalCode !== null) resolve();
      else this.#up.once('exit', () => resolve());
    });
    this.#up.kill('SIGTERM');
    const timer = setTimeout(() => this.#up.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(timer);
    rmSync(dirname(this.dir), { recursive: true, force: true });
  }
}
