import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type QueryResult } from 'pg';
import type { Row } from '../../../audit/store/row.ts';
import { eventually } from '../../eventually.ts';
import type { Issued } from '../envoy/certificates.ts';
import { freePort } from '../envoy/client.ts';
import { openPostgresReader, openPostgresStore } from '../../../audit/store/postgres.ts';
import { parseStoreLocation, type StoreLocation } from '../../../audit/store/location.ts';
import { eachTime } from '../../../audit/store/sqlite-read.ts';
import type { Place } from './contract.ts';

type PostgresLocation = Extract<StoreLocation, { engine: 'postgres' }>;

/** Where Debian's packages put the server's programs; undefined when none is installed. */
function binaries(): string | undefined {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(root, version, 'bin')).find((folder) => existsSync(join(folder, 'initdb')));
}

/** A server of the test's own, on a socket in a temporary folder. PostgreSQL does not run as root: there it is user postgres. */
export class PostgresServer {
  readonly folder: string;
  readonly #bin: string;
  readonly #owner: { readonly uid: number; readonly gid: number } | undefined;
  #process: ChildProcess | undefined;
  #databases = 0;
  #tls: { readonly port: number; readonly cert: string; readonly key: string } | undefined;

  private constructor(bin: string) {
    this.#bin = bin;
    this.folder = mkdtempSync(join(tmpdir(), 'gatehouse-postgres-'));
    const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
    this.#owner = process.getuid?.() === 0 ? { uid: id('-u'), gid: id('-g') } : undefined;
    if (this.#owner !== undefined) chownSync(this.folder, this.#owner.uid, this.#owner.gid);
  }

  /** Undefined when there is no PostgreSQL; fails then where the repository's own set-up brings it. */
  static async start(): Promise<PostgresServer | undefined> {
    const bin = binaries();
    if (bin === undefined) {
      if (process.env['CI'] !== undefined) throw new Error('PostgreSQL is missing: setup/system-packages.sh installs it');
      return undefined;
    }
    const server = new PostgresServer(bin);
    execFileSync(
      join(bin, 'initdb'),
      ['-D', server.#data, '-U', 'gatehouse', '--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C'],
      { ...server.#owner, stdio: 'ignore', cwd: server.folder },
    );
    await server.run();
    return server;
  }

  get #data(): string {
    return join(this.folder, 'data');
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** CPU time of its processes, those that ended included. */
  cpuSeconds(): number {
    const fields = (pid: string): readonly string[] => {
      try {
        return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      } catch {
        return [];
      }
    };
    const sum = (of: readonly string[], from: number, to: number): number =>
      of.slice(from, to).reduce((total, ticks) => total + Number(ticks), 0);
    const pid = String(this.pid ?? '');
    const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && fields(name)[1] === pid);
    // proc(5): utime, stime, and both of children that were waited for.
    const ticks = sum(fields(pid), 11, 15) + children.reduce((total, child) => total + sum(fields(child), 11, 13), 0);
    return ticks / 100;
  }

  async run(): Promise<void> {
    const child = spawn(
      join(this.#bin, 'postgres'),
      ['-D', this.#data, '-k', this.folder, ...this.#listening(), '-c', 'shared_buffers=64MB', '-c', 'max_connections=60'],
      { ...this.#owner, stdio: 'ignore', cwd: this.folder },
    );
    this.#process = child;
    process.once('exit', () => child.kill('SIGKILL'));
    await eventually(
      'PostgreSQL answers',
      async () => {
        try {
          return await this.query('postgres', 'SELECT 1');
        } catch (error) {
          if (child.exitCode !== null) throw new Error('PostgreSQL ended by itself', { cause: error });
          return undefined;
        }
      },
      60_000,
    );
  }

  #listening(): readonly string[] {
    if (this.#tls === undefined) return ['-c', 'listen_addresses='];
    const { port, cert, key } = this.#tls;
    return [...['listen_addresses=127.0.0.1', `port=${port}`, 'ssl=on', `ssl_cert_file=${cert}`, `ssl_key_file=${key}`]].flatMap(
      (setting) => ['-c', setting],
    );
  }

  /** From now on also at a port of 127.0.0.1, by TLS alone, to those who say the password. */
  async serveTls({ cert, key }: Issued, user: string, password: string): Promise<number> {
    const file = (name: string, text: string): string => {
      const path = join(this.folder, name);
      writeFileSync(path, text, { mode: 0o600 });
      if (this.#owner !== undefined) chownSync(path, this.#owner.uid, this.#owner.gid);
      return path;
    };
    await this.query('postgres', `CREATE ROLE ${user} LOGIN SUPERUSER PASSWORD '${password}'`);
    await this.stop('SIGINT');
    const port = await freePort();
    this.#tls = { port, cert: file('server.pem', cert), key: file('server-key.pem', key) };
    file('data/pg_hba.conf', `local all all trust\nhostssl all ${user} 127.0.0.1/32 scram-sha-256\n`);
    await this.run();
    return port;
  }

  /** SIGKILL: its own processes see that, and end. SIGINT: it ends all sessions and stops. */
  async stop(signal: 'SIGKILL' | 'SIGINT' = 'SIGINT'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  async close(): Promise<void> {
    await this.stop('SIGINT');
    rmSync(this.folder, { recursive: true, force: true });
  }

  #url(database: string, user = 'gatehouse'): string {
    const port = this.#tls === undefined ? '' : `localhost:${this.#tls.port}`;
    return `postgres://${user}@${port}/${database}?host=${encodeURIComponent(this.folder)}`;
  }

  async query(database: string, sql: string): Promise<readonly Row[]> {
    const client = new Client({ connectionString: this.#url(database) });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const result: QueryResult<Row> | readonly QueryResult<Row>[] = await client.query<Row>(sql);
      // Several statements have several results.
      const results: readonly QueryResult<Row>[] = 'rows' in result ? [result] : result;
      return results.at(-1)?.rows ?? [];
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** A user who must say a password. */
  async userWithPassword(user: string, password: string): Promise<void> {
    await this.query('postgres', `CREATE ROLE ${user} LOGIN SUPERUSER PASSWORD '${password}'`);
    writeFileSync(join(this.#data, 'pg_hba.conf'), `local all ${user} scram-sha-256\nlocal all all trust\n`);
    await this.query('postgres', 'SELECT pg_reload_conf()');
    // The server reads it when it comes to it.
    await eventually('a password is wanted', async () => {
      const client = new Client({ connectionString: this.#url('postgres', user), password: 'wrong' });
      client.on('error', () => undefined);
      const refused = await client.connect().then(
        () => undefined,
        () => true as const,
      );
      await client.end().catch(() => undefined);
      return refused;
    });
  }

  /** A database of its own. */
  async place(): Promise<Place & { readonly location: PostgresLocation; readonly url: string; readonly database: string }> {
    const database = `audit${++this.#databases}`;
    await this.query('postgres', `CREATE DATABASE ${database}`);
    const url = this.#url(database);
    const parsed = parseStoreLocation(url);
    if (!parsed.ok || parsed.value.engine !== 'postgres') throw new Error(parsed.ok ? url : parsed.reason);
    const location = parsed.value;
    return {
      database,
      url,
      location,
      open: (options) => openPostgresStore({ location, ...options }),
      read: eachTime(() => openPostgresReader(location)),
      close: async () => {
        await this.query('postgres', `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
      },
    };
  }
}
