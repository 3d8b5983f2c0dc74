// Zipkin's own server, from Maven Central, with its spans in memory.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { ownAddress } from './own-address.ts';

const VERSION = '3.4.4';
const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'gatehouse-tests', 'jars');
const NAME = `zipkin-server-${VERSION}-slim.jar`;

const runs = (program: string, argument: string): boolean => spawnSync(program, [argument]).status === 0;

/** Brings the server (44 MB) with Maven, once. @throws Error when that fails */
export function fetchZipkin(): string {
  mkdirSync(CACHE, { recursive: true });
  const aside = mkdtempSync(join(CACHE, '.fetching-'));
  try {
    const args = [
      '-q',
      '-B',
      'dependency:copy',
      `-Dartifact=io.zipkin:zipkin-server:${VERSION}:jar:slim`,
      `-DoutputDirectory=${aside}`,
    ];
    const done = spawnSync('mvn', args, { cwd: tmpdir(), encoding: 'utf8', timeout: 600_000 });
    if (done.status !== 0) throw new Error(`Zipkin could not be fetched: ${done.stdout}${done.stderr}`);
    renameSync(join(aside, NAME), join(CACHE, NAME));
    return join(CACHE, NAME);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/** The server's file, or why there is none: it needs Java, which nothing of ours installs. In CI it is fetched where Maven is. */
export function findZipkin(): { readonly jar: string } | { readonly missing: string } {
  if (!runs('java', '-version')) return { missing: 'there is no Java' };
  if (existsSync(join(CACHE, NAME))) return { jar: join(CACHE, NAME) };
  if (process.env['CI'] === undefined) return { missing: 'node test/tools/build.ts has not fetched it' };
  if (!runs('mvn', '-version')) return { missing: 'there is no Maven' };
  try {
    return { jar: fetchZipkin() };
  } catch (error) {
    return { missing: error instanceof Error ? error.message.slice(0, 200) : String(error) };
  }
}

export interface Span {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly localEndpoint?: { readonly serviceName?: string };
  readonly tags?: Readonly<Record<string, string>>;
}

export class Zipkin {
  /** HOST:PORT. */
  readonly address: string;
  readonly #process: ChildProcess;

  private constructor(address: string, child: ChildProcess) {
    this.address = address;
    this.#process = child;
  }

  static async start(jar: string): Promise<Zipkin> {
    const ip = ownAddress();
    const ports = [`--armeria.ports[0].ip=${ip}`, '--armeria.ports[0].port=9411', '--armeria.ports[0].protocols[0]=http'];
    const child = spawn('java', ['-Xmx256m', '-jar', jar, ...ports], { stdio: 'ignore' });
    const zipkin = new Zipkin(`${ip}:9411`, child);
    try {
      await eventually('Zipkin', async () => ((await zipkin.#json('/health')) === undefined ? undefined : true), 60_000);
    } catch (error) {
      await zipkin.stop();
      throw error;
    }
    return zipkin;
  }

  async services(): Promise<readonly string[]> {
    return ((await this.#json('/api/v2/services')) ?? []) as readonly string[];
  }

  async trace(id: string): Promise<readonly Span[]> {
    return ((await this.#json(`/api/v2/trace/${id}`)) ?? []) as readonly Span[];
  }

  async #json(path: string): Promise<unknown> {
    const reply = await fetch(`http://${this.address}${path}`).catch(() => undefined);
    return reply?.ok === true ? await reply.json().catch(() => undefined) : undefined;
  }

  async stop(): Promise<void> {
    const ended = this.#process.exitCode === null ? once(this.#process, 'exit') : undefined;
    this.#process.kill('SIGTERM');
    await ended;
  }
}
