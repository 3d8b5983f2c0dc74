import { join } from 'node:path';
import { Child } from './child.ts';
import type { Output } from './output.ts';
import type { RunDir } from './run-dir.ts';
import { self } from './self.ts';

/** Events of the agent that are passed on; its `ready` is one proxy's, not the mesh's. */
const PASSED_ON: ReadonlySet<string> = new Set([
  'issued',
  'rotated',
  'failed',
  'expired',
  'started',
  'exit',
  'stopped',
  'config-refused',
]);
const GRACE_MS = 12_000;

/** Runs `gatehouse agent`, again whenever it ends, and keeps what it says of each proxy. */
export class Agent {
  readonly child: Child;
  readonly #output: Output;
  readonly #waiting = new Map<string, () => void>();

  constructor(dir: RunDir, out: Output, events: { readonly onStart: (pid: number) => void }) {
    this.#output = out;
    this.child = new Child(() => self(['agent', '--config', dir.agentConfig]), join(dir.logs, 'agent.log'), GRACE_MS, {
      onStart: events.onStart,
      onLine: (line) => this.#read(line),
      onExit: ({ code, signal, restartMs }) => {
        for (const done of this.#waiting.values()) done();
        if (restartMs !== undefined)
          out.problem(
            `the agent ended with ${signal ?? `code ${String(code)}`}; again in ${restartMs} ms\n${this.child.lastWords()}`,
          );
      },
    });
  }

  /** Resolves when the agent has stopped a proxy that left its configuration, or after `timeoutMs`. */
  stopped(pod: string, timeoutMs: number): Promise<void> {
    if (this.child.pid === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(pod);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#waiting.set(pod, done);
    });
  }

  #read(line: string): void {
    let content: unknown;
    try {
      content = JSON.parse(line);
    } catch {
      return;
    }
    if (typeof content !== 'object' || content === null) return;
    const fields: Readonly<Record<string, unknown>> = { ...content };
    const { event, workload } = fields;
    if (typeof event !== 'string') return;
    if (event === 'ready' && typeof workload === 'string') {
      this.#output.event({ ...fields, event: 'proxy-ready' });
      return;
    }
    if (typeof workload === 'string') {
      if (event === 'stopped') this.#waiting.get(workload)?.();
      const { restartMs } = fields;
      if (event === 'exit' && typeof restartMs === 'number')
        this.#output.problem(`${workload}: Envoy ended (${String(fields['reason'])}); again in ${restartMs} ms`);
      if (event === 'failed') this.#output.problem(`${workload}: ${String(fields['code'])} ${String(fields['reason'])}`);
    }
    if (PASSED_ON.has(event)) this.#output.event({ ...fields, event });
  }
}
