import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { MAIN } from '../../cli/running-serve.ts';
import { eventually } from '../../eventually.ts';

export interface NodeAgentPlace {
  readonly grpc: string;
  readonly rootCert: string;
  readonly runDir: string;
  readonly kubeletDir: string;
  readonly csiSocket: string;
  readonly registrationDir: string;
}

interface Event {
  readonly event: string;
  readonly workload?: string;
  readonly serial?: string;
  readonly code?: string;
}

/** `gatehouse node-agent` as a process of its own. */
export class RunningNodeAgent {
  readonly #child: ChildProcess;
  readonly events: Event[] = [];
  errors = '';

  constructor(place: NodeAgentPlace) {
    const args = [
      ...['--control-plane', place.grpc, '--server-name', 'localhost', '--root-cert', place.rootCert],
      ...['--run-dir', place.runDir, '--kubelet-dir', place.kubeletDir, '--csi-socket', place.csiSocket],
      ...['--registration-dir', place.registrationDir, '--node', 'node-1'],
    ];
    this.#child = spawn(process.execPath, [...MAIN, 'node-agent', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error('the node agent has no output');
    stderr.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
    createInterface({ input: stdout }).on('line', (line) => this.events.push(JSON.parse(line)));
  }

  /** The first event for which something holds. */
  event(what: string, is: (event: Event) => boolean): Promise<Event> {
    return eventually(
      what,
      () => {
        if (this.#child.exitCode !== null) throw new Error(`the node agent ended:\n${this.errors}`);
        return this.events.find(is);
      },
      30_000,
    );
  }

  async ready(): Promise<void> {
    await this.event('the node agent serves', ({ event }) => event === 'serving');
  }

  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill(signal);
      await once(this.#child, 'exit');
    }
    return this.#child.exitCode;
  }
}
