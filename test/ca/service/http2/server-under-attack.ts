import { strict as assert } from 'node:assert';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { join } from 'node:path';
import { message } from './raw-fields.ts';

export const PATH = '/test.Service/Method';
/** Bytes of a message at most, calls at once at most, and bytes of the answer to `large`. */
export const [LARGEST, CONCURRENT, LARGE] = [80 * 1024, 100, 1_000_000];

export interface State {
  /** Calls that the method was given so far, and those of them that it has not ended. */
  readonly begun: number;
  readonly working: number;
  /** Bytes after a collection, objects and buffers together. */
  readonly held: number;
}

/** `release` ends calls that wait for it, `look` has the listener look after its connections, as it does every five seconds. */
export type Question = 'state' | 'release' | 'look';

/** The server in a process of its own, and a client with node's HTTP/2 that must be served whatever others do. */
export class ServerUnderAttack {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #bystander: ClientHttp2Session;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
    this.#bystander = this.#connect();
  }

  static async start(): Promise<ServerUnderAttack> {
    const child = fork(join(import.meta.dirname, 'server-process.ts'), [String(LARGEST), String(CONCURRENT), String(LARGE)], {
      execArgv: ['--disable-warning=ExperimentalWarning', '--expose-gc'],
    });
    const [{ port }] = await once(child, 'message');
    return new ServerUnderAttack(child, Number(port));
  }

  #connect(): ClientHttp2Session {
    const session = connect(`https://127.0.0.1:${this.port}`, { rejectUnauthorized: false });
    session.on('error', () => undefined);
    return session;
  }

  async state(asked: Question = 'state'): Promise<State> {
    assert.equal(this.#child.exitCode, null, 'the server process has ended');
    this.#child.send(asked);
    const [state] = await once(this.#child, 'message');
    return state as State;
  }

  /** Both a client of before and a new one are served. */
  async servesOthers(): Promise<void> {
    const fresh = this.#connect();
    for (const session of [this.#bystander, fresh]) assert.equal(await echo(session, 'hello'), 'hello');
    fresh.destroy();
  }

  async stop(): Promise<void> {
    this.#bystander.destroy();
    const ended = this.#child.exitCode === null ? once(this.#child, 'exit') : undefined;
    this.#child.disconnect();
    await ended;
  }
}

async function echo(session: ClientHttp2Session, text: string): Promise<string> {
  const stream = session.request({ ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc', te: 'trailers' });
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('error', () => undefined);
  stream.end(message(Buffer.from(text)));
  await once(stream, 'close');
  return Buffer.concat(chunks).toString('latin1', 5);
}
