import { type Reply, get } from './running-mesh.ts';

/** What came of many requests: replies by what `name` makes of them, and errors of the connection. */
export interface Tally {
  readonly sent: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly failures: readonly string[];
}

export interface Load {
  readonly address: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  /** Requests in flight at once. */
  readonly concurrency?: number;
  /** Who asks; undefined: this process. */
  readonly get?: typeof get;
  /** What a reply is counted as; `undefined` makes it a failure. */
  readonly name: (reply: Reply) => string | undefined;
}

/** Sends requests until `done` says so (it is told how many were sent) and adds up the replies. */
export async function sendUntil(load: Load, done: (sent: number) => boolean): Promise<Tally> {
  const counts = new Map<string, number>();
  const failures: string[] = [];
  let sent = 0;
  const worker = async (): Promise<void> => {
    while (!done(sent)) {
      sent++;
      try {
        const reply = await (load.get ?? get)(load.address, load.path, load.headers ?? {});
        const name = load.name(reply);
        if (name === undefined) failures.push(`${String(reply.status)} ${reply.body.slice(0, 200)}`);
        else counts.set(name, (counts.get(name) ?? 0) + 1);
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: load.concurrency ?? 4 }, worker));
  return { sent, counts, failures };
}

export function send(load: Load, requests: number): Promise<Tally> {
  return sendUntil(load, (sent) => sent >= requests);
}

/** The share of a name among all replies, in percent. */
export function share(tally: Tally, name: string): number {
  return ((tally.counts.get(name) ?? 0) / tally.sent) * 100;
}

/** A value inside a JSON body, by path; undefined when it is not there. */
export function field(body: string, ...path: readonly string[]): unknown {
  let value: unknown = JSON.parse(body);
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.entries(value).find(([key]) => key === step)?.[1];
  }
  return value;
}
