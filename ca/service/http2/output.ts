import { FRAME, frame } from './frame.ts';

/** What is written to a connection. Answers that are ready together go out together: each write is a TLS record and a system call of its own. */
export class Output {
  #owed: Buffer[] = [];
  readonly #write: (bytes: Buffer) => void;
  readonly #afterThis: (task: () => void) => void;

  /** @param afterThis does something after everything that goes on now */
  constructor(write: (bytes: Buffer) => void, afterThis: (task: () => void) => void) {
    this.#write = write;
    this.#afterThis = afterThis;
  }

  add(bytes: Buffer): void {
    this.#owed.push(bytes);
    if (this.#owed.length === 1) this.#afterThis(() => this.flush());
  }

  flush(): void {
    const [first] = this.#owed;
    if (first === undefined) return;
    const bytes = this.#owed.length === 1 ? first : Buffer.concat(this.#owed);
    this.#owed = [];
    this.#write(bytes);
  }

  goAway(last: number, code: number): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(last, 0);
    payload.writeUInt32BE(code, 4);
    this.add(frame(FRAME.goAway, 0, 0, payload));
  }
}
