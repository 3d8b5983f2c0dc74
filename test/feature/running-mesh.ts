// A whole mesh for a test: `gatehouse up` as a user starts it, on a folder of its own, and ways to change it and to ask it.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { eventually } from '../eventually.ts';
import { SEEDS } from '../shared-data.ts';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const samples = join(root, 'manifests', 'samples');

export type CaptureMode = 'explicit' | 'netns';

export interface RunningWorkload {
  readonly workload: string;
  readonly pod: string;
  readonly ip: string;
  readonly ip6?: string;
  readonly appAddress: string;
  readonly adminSocket: string;
  readonly netns?: string;
}

interface ReadyEvent {
  readonly gateway: string;
  /** Where the ingress gateway's ports are, by what Gateways call them. */
  readonly gatewayPorts: Readonly<Record<string, string>>;
  /** Of each Gateway of the Gateway API that was started, where its ports are. */
  readonly deployedGateways?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly controlPlane: {
    readonly grpc: string;
    readonly http: string;
    readonly pid: number;
    readonly rootCert: string;
    readonly page?: string;
  };
  readonly runDir: string;
  readonly workloads: readonly RunningWorkload[];
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What the control plane says of itself at /debug/syncz. */
export interface SyncStatus {
  readonly pid: number;
  readonly snapshot: number;
  readonly namespaces: readonly string[];
  readonly proxies: readonly { readonly node: string; readonly acknowledged: number }[];
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ReportedEdge {
  readonly source: { readonly principal: string | null; readonly workload: string | null };
  readonly destination: { readonly principal: string | null; readonly workload: string | null; readonly service: string | null };
  readonly method: string;
  readonly path: string;
  readonly mtls: boolean;
  readonly decision: 'ALLOW' | 'DENY';
  readonly policy: string | null;
  readonly reason: string;
  readonly verdict: string;
  readonly policies: readonly string[];
  readonly marks: readonly {
    readonly kind: string;
    readonly policy: string | null;
    readonly rule: number | null;
    readonly provider: string | null;
  }[];
  readonly count: number;
}

export function runGatehouse(...args: readonly string[]): Promise<Outcome> {
  const main = join(root, 'dist', 'cli', 'main.js');
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', main, ...args],
      { timeout: 60_000, maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr });
      },
    );
  });
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
  /** The audit store, where it is not the file that `up` makes. */
  auditDb: string | undefined;
  readonly #up: ChildProcess;
  readonly #output: string[];
  #marks = 0;

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
    const ready = await new Promise<ReadyEvent>((resolve, fail) => {
      const reject = (error: Error): void => {
        rmSync(dir, { recursive: true, force: true });
        fail(error);
      };
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
  async status(): Promise<SyncStatus | undefined> {
    try {
      const reply = await get(this.ready.controlPlane.http, '/debug/syncz');
      return reply.status === 200 ? (JSON.parse(reply.body) as SyncStatus) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Waits until every proxy has acknowledged the folder as it is now. */
  async settled(): Promise<void> {
    const before = await eventually('control plane status', () => this.status());
    // What was changed may have made no new snapshot, so a namespace of no consequence marks the moment.
    const mark = `settled-${String(this.#marks++)}`;
    writeFileSync(join(this.dir, 'settled.yaml'), `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${mark}\n`);
    await eventually('a new snapshot acknowledged by all', async () => {
      const now = await this.status();
      if (now === undefined || now.snapshot <= before.snapshot || now.proxies.length === 0) return undefined;
      return now.namespaces.includes(mark) && now.proxies.every((proxy) => proxy.acknowledged >= now.snapshot) ? true : undefined;
    }).catch((error: Error) => assert.fail(`${error.message}\n${this.log()}`));
  }

  /** Changes the mesh and waits until the change is in force everywhere. */
  async change(make: () => void | Promise<void>): Promise<void> {
    await make();
    await this.settled();
  }

  /** Moves a file of the mesh's folder; a name that begins with a dot takes it out of the mesh. */
  move(from: string, to: string): void {
    renameSync(join(this.dir, from), join(this.dir, to));
  }

  /** Waits until the gateway answers a path as expected. */
  async answers(path: string, expected: (reply: Reply) => boolean, headers: Record<string, string> = {}): Promise<void> {
    let last = 'nothing';
    await eventually(`the gateway to answer ${path}`, async () => {
      const reply = await get(this.gateway, path, headers).catch((error: Error) => error);
      last = reply instanceof Error ? reply.message : `${String(reply.status)} ${reply.body.slice(0, 100)}`;
      return !(reply instanceof Error) && expected(reply) ? true : undefined;
    }).catch((error: Error) => assert.fail(`${error.message}; the last answer was ${last}\n${this.log()}`));
  }

  /** Puts a seed article's YAML, as it stands, into the mesh under a file name. */
  async applySeed(name: string, as = 'rules.yaml', edit: (text: string) => string = (text) => text): Promise<void> {
    await this.apply(edit(readFileSync(join(SEEDS, name), 'utf8')), as);
  }

  /** Puts a file with `text` into the mesh's folder, whole at once, and waits for it to be in force. */
  async apply(text: string, as = 'rules.yaml'): Promise<void> {
    const written = join(this.dir, `.${as}`);
    await this.change(() => {
      writeFileSync(written, text);
      renameSync(written, join(this.dir, as));
    });
  }

  async remove(name: string): Promise<void> {
    await this.change(() => rmSync(join(this.dir, name)));
  }

  /** Runs a `gatehouse` command to its end, as a user would. */
  gatehouse(...args: readonly string[]): Promise<Outcome> {
    return runGatehouse(...args);
  }

  /** The edges of `gatehouse audit report -o json`. */
  async edges(...flags: readonly string[]): Promise<readonly ReportedEdge[]> {
    const { code, stdout, stderr } = await this.gatehouse('audit', 'report', '--db', this.auditFile, '-o', 'json', ...flags);
    assert.equal(code, 0, stderr);
    const report: { edges: readonly ReportedEdge[] } = JSON.parse(stdout);
    return report.edges;
  }

  get auditFile(): string {
    return this.auditDb ?? join(this.ready.runDir, 'audit.db');
  }

  /** What a proxy's admin interface answers. */
  admin(workload: string, path: string): Promise<string> {
    const { adminSocket } = this.workload(workload);
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath: adminSocket, path, timeout: 5_000 }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve(Buffer.concat(chunks).toString()));
        response.on('error', reject);
      });
      sent.on('timeout', () => sent.destroy(new Error('the admin interface does not answer')));
      sent.on('error', reject);
      sent.end();
    });
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
