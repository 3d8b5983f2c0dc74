// Loaded into the server that is measured (node --import): how long its event loop was held, without a question over the network. SIGUSR2
// writes what was seen since the last one to the file that GATEHOUSE_HOLDS names. Counted is the CPU time of the loop's thread from one timer
// to the next, so that other processes on a busy machine do not look like long work.
import { renameSync, writeFileSync } from 'node:fs';

export interface Holds {
  /** Each hold over {@link FROM_MS}, in order: when it ended, in ms since the last report, and how much of the loop's CPU time it was. */
  readonly holds: readonly { readonly at: number; readonly ms: number }[];
}

const TICK_MS = 2;
const FROM_MS = 10;

const file = process.env['GATEHOUSE_HOLDS'];
if (file !== undefined) {
  let holds: { at: number; ms: number }[] = [];
  const used = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let [since, last] = [performance.now(), used()];
  setInterval(() => {
    const now = used();
    const ms = now - last;
    last = now;
    if (ms >= FROM_MS) holds.push({ at: performance.now() - since, ms });
  }, TICK_MS).unref();
  process.on('SIGUSR2', () => {
    const told: Holds = { holds };
    writeFileSync(`${file}.new`, JSON.stringify(told));
    renameSync(`${file}.new`, file);
    holds = [];
    [since, last] = [performance.now(), used()];
  });
}
