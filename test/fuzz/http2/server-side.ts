import { strict as assert } from 'node:assert';
import { status } from '@grpc/grpc-js';
import { UnaryConnection } from '../../../ca/service/http2/connection.ts';
import { type Arrived, FirstCall } from '../../../ca/service/http2/first-call.ts';
import { Output } from '../../../ca/service/http2/output.ts';
import type { RequestHead } from '../../../ca/service/http2/request-head.ts';
import { isPlain } from '../../../ca/service/http2/stream.ts';
import type { UnaryMethod } from '../../../ca/service/http2/unary.ts';
import { message } from '../../ca/service/http2/raw-fields.ts';
import { CONCURRENT, LARGEST, OURS } from './conversation.ts';

type Given = Awaited<ReturnType<UnaryMethod>>;

/** Has its value at once, and not only after whatever goes on: so that what is answered does not depend on when. */
class AtOnce extends Promise<Given> {
  #value: Given = { bytes: Buffer.alloc(0) };

  static of(value: Given): AtOnce {
    const made = new AtOnce(() => undefined);
    made.#value = value;
    return made;
  }

  // oxlint-disable-next-line no-thenable
  override then<A = Given, B = never>(fulfilled?: ((value: Given) => A | PromiseLike<A>) | null): Promise<A | B> {
    void fulfilled?.(this.#value);
    return new Promise(() => undefined);
  }
}

const ANSWERS: readonly Given[] = [
  ...[0, 10, 10, 10, 300, 16_379, 16_380, 20_000, 70_000].map((length) => ({ bytes: message(Buffer.alloc(length, 'x')) })),
  { code: status.PERMISSION_DENIED, details: 'no' },
];
const answerTo = (asked: Buffer): Given => ANSWERS[(asked[0] ?? 0) % ANSWERS.length] ?? { bytes: message(Buffer.alloc(0)) };

export interface ServerSideOptions {
  readonly wrote: (bytes: Buffer) => void;
  readonly clock?: () => number;
  /** Whether answers wait until `answerOne`. */
  readonly slow?: boolean;
  readonly isStale?: () => boolean;
}

/** The server's side of a connection without its socket. */
export class ServerSide {
  ended = 0;
  atWork = 0;
  /** Heads of calls for others that were seen. */
  others = 0;
  /** What others were given. */
  given: Buffer | undefined;
  ours: UnaryConnection | undefined;
  first: FirstCall | undefined;
  readonly #waiting: (() => void)[] = [];
  #tasks: (() => void)[] = [];
  readonly #options: ServerSideOptions;
  readonly #output: Output;

  constructor(options: ServerSideOptions) {
    this.#options = options;
    this.#output = new Output(
      (bytes) => {
        assert.equal(this.ended, 0, 'written after the end: ' + bytes.toString('hex'));
        assert.equal(this.given, undefined, 'written to a connection that is another');
        options.wrote(bytes);
      },
      (task) => this.#tasks.push(task),
    );
  }

  /** A connection of ours. */
  connection(begun = false): UnaryConnection {
    const { clock = () => 0, isStale = () => false, slow = false } = this.#options;
    const method: UnaryMethod = ({ message: asked }) => {
      assert.ok(asked.length <= LARGEST, 'a message that is too large');
      this.atWork++;
      assert.ok(this.atWork <= CONCURRENT, `${this.atWork} calls at work`);
      if (!slow) {
        this.atWork--;
        return AtOnce.of(answerTo(asked));
      }
      const answer = answerTo(asked);
      return new Promise((resolve) => {
        this.#waiting.push(() => {
          this.atWork--;
          resolve(answer);
        });
      });
    };
    const options = {
      output: this.#output,
      end: () => void this.ended++,
      isStale,
      onOtherCall: () => undefined,
      begun,
      method,
      isOurs: (head: RequestHead) => this.#isOurs(head),
      largest: LARGEST,
      concurrentStreams: CONCURRENT,
      peer: '127.0.0.1:1',
      context: {},
      clock,
    };
    this.ours = new UnaryConnection(options);
    return this.ours;
  }

  /** One that is looked at first, and is then where it belongs. */
  undecided(): this {
    this.first = new FirstCall({
      output: this.#output,
      isOurs: (head) => this.#isOurs(head),
      concurrentStreams: CONCURRENT,
      decided: (whose, arrived) => this.#decided(whose, arrived),
    });
    return this;
  }

  receive(chunk: Buffer): void {
    if (this.given !== undefined) this.given = Buffer.concat([this.given, chunk]);
    else if (this.ours === undefined) this.first?.receive(chunk);
    else this.ours.receive(chunk);
    this.settle();
  }

  /** Everything that goes on now is over. */
  settle(): void {
    const tasks = this.#tasks;
    this.#tasks = [];
    for (const task of tasks) task();
  }

  async answerOne(place: number): Promise<void> {
    const [answer] = this.#waiting.splice(Math.floor(place * this.#waiting.length), 1);
    answer?.();
    await Promise.resolve();
    this.settle();
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  #isOurs(head: RequestHead): boolean {
    const ours = head.path === OURS && isPlain(head);
    if (!ours && this.ours === undefined) this.others++;
    return ours;
  }

  #decided(whose: 'ours' | 'others', { bytes, begun }: Arrived): void {
    assert.ok(this.ours === undefined && this.given === undefined, 'decided twice');
    if (whose === 'ours') this.connection(begun).receive(bytes);
    else {
      this.#output.flush();
      this.given = bytes;
    }
  }
}
