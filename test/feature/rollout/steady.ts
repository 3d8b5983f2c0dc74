// Steady traffic of many kinds at once. What came of every request is kept, so that "not one failed" can be said.
import { setTimeout } from 'node:timers/promises';
import { type Load, sendUntil, type Tally } from '../load.ts';
import type { Reply } from '../running-mesh.ts';

/** One kind of legitimate call. */
export interface Flow {
  readonly name: string;
  readonly ask: () => Promise<Reply>;
  /** Whether it is the answer of a mesh that works. */
  readonly works: (reply: Reply) => boolean;
}

/** Between two requests of a flow: the load is to be steady, not heavy. */
const PAUSE_MS = 80;

export class SteadyTraffic {
  readonly #over = new AbortController();
  readonly #tallies: ReadonlyMap<string, Promise<Tally>>;
  readonly #counts = new Map<string, number>();
  readonly #failed: string[] = [];

  constructor(flows: readonly Flow[]) {
    this.#tallies = new Map(flows.map((flow) => [flow.name, this.#run(flow)]));
  }

  #run(flow: Flow): Promise<Tally> {
    const load: Load = {
      address: '',
      path: '',
      concurrency: 1,
      get: async () => {
        await setTimeout(PAUSE_MS);
        try {
          return await flow.ask();
        } catch (error) {
          this.#failed.push(
            `${new Date().toISOString()} ${flow.name}: ${error instanceof Error ? error.message : String(error)}`,
          );
          throw error;
        }
      },
      name: (reply) => {
        if (flow.works(reply)) {
          this.#counts.set(flow.name, (this.#counts.get(flow.name) ?? 0) + 1);
          return 'works';
        }
        this.#failed.push(`${new Date().toISOString()} ${flow.name}: ${String(reply.status)} ${reply.body.slice(0, 160)}`);
        return undefined;
      },
    };
    return sendUntil(load, () => this.#over.signal.aborted);
  }

  /** Requests that worked until now, of all kinds. */
  get worked(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** What failed until now. */
  get failures(): readonly string[] {
    return this.#failed;
  }

  /** The least that worked of any kind: every kind goes on where this grows. */
  get least(): number {
    return Math.min(...[...this.#tallies.keys()].map((name) => this.#counts.get(name) ?? 0));
  }

  /** Begins the failures anew, after a fault that was meant; gives those until now. */
  forgive(): readonly string[] {
    return this.#failed.splice(0);
  }

  async stop(): Promise<ReadonlyMap<string, number>> {
    this.#over.abort();
    await Promise.all(this.#tallies.values());
    return this.#counts;
  }
}
