import { connect } from 'node:net';
import type { Random, Timers } from '../clock.ts';

/** Whether a TCP connection to the authority can be had now. Never rejects. */
export type Probe = () => Promise<boolean>;

const FIRST_MS = 250;
const EVERY_MS = 1000;
/** After this many probes in vain they become rarer. */
const PATIENT_AFTER = 60;
const PATIENT_MS = 3000;
/** What is told to many is told over this much time for each, so that they do not all come at once. */
const SPREAD_MS_EACH = 5;
const LONGEST_SPREAD_MS = 3000;
const PROBE_MS = 1000;

/**
 * Notices that an authority that could not be reached is back: one bare TCP connection a second for all workloads of an agent,
 * while their own attempts back off to many seconds. Only what was seen to be away and then there is a return: where the port is
 * open all the time (a load balancer, an authority under another root), nobody is woken, and the back-off stands.
 */
export class Reachability {
  readonly #probe: Probe;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #waiting = new Set<() => void>();
  #asking = false;
  #wasAway = false;
  #probes = 0;

  constructor(probe: Probe, timers: Timers, random: Random) {
    this.#probe = probe;
    this.#timers = timers;
    this.#random = random;
  }

  /** Calls back once, soon after the authority came back. To be called after a call that could not reach it. Returns the end. */
  onReturn(task: () => void): () => void {
    this.#waiting.add(task);
    if (!this.#asking) {
      this.#asking = true;
      this.#wasAway = false;
      this.#probes = 0;
      this.#later(FIRST_MS);
    }
    return () => this.#waiting.delete(task);
  }

  #later(ms: number): void {
    this.#timers.after(ms * (0.75 + 0.5 * this.#random()), () => void this.#look());
  }

  async #look(): Promise<void> {
    if (this.#waiting.size === 0) {
      this.#asking = false;
      return;
    }
    this.#probes += 1;
    if (!(await this.#probe())) {
      this.#wasAway = true;
      this.#later(this.#probes < PATIENT_AFTER ? EVERY_MS : PATIENT_MS);
      return;
    }
    this.#asking = false;
    const told = [...this.#waiting];
    this.#waiting.clear();
    if (!this.#wasAway) return;
    const spread = Math.min(LONGEST_SPREAD_MS, SPREAD_MS_EACH * told.length);
    for (const task of told) this.#timers.after(spread * this.#random(), task);
  }
}

/** Opens a connection and closes it without a byte. */
export function tcpProbe(host: string, port: number): Probe {
  return () =>
    new Promise((resolve) => {
      const socket = connect({ host, port, timeout: PROBE_MS });
      const end = (open: boolean) => {
        socket.destroy();
        resolve(open);
      };
      socket.once('connect', () => end(true));
      socket.once('timeout', () => end(false));
      socket.once('error', () => end(false));
    });
}
