import type { Timers } from '../clock.ts';
import { adminCall, adminGet } from './admin.ts';

const LOOK_EVERY_MS = 100;
/** What is under way: HTTP requests and TCP connections, without those to the admin interface. */
const ACTIVE = '/stats?filter=%5E(http%5C..*%5C.downstream_rq_active%7Ctcp%5C..*%5C.downstream_cx_active)%24';
const OWN = /^(http|tcp)\.admin\./;

/**
 * Asks an Envoy to take leave of its clients (`connection: close`, GOAWAY) and resolves when nothing is under way any
 * more, or after `limitMs`. An Envoy that does not answer has nothing to wait for.
 */
export async function drain(adminSocket: string, limitMs: number, timers: Timers, monotonic: () => number): Promise<void> {
  const end = monotonic() + limitMs;
  try {
    if ((await underWay(adminSocket)) === 0) return;
    await adminCall('POST', adminSocket, '/drain_listeners?graceful');
    while (monotonic() < end && (await underWay(adminSocket)) > 0) {
      await new Promise<void>((resolve) => timers.after(LOOK_EVERY_MS, resolve));
    }
  } catch {
    // It is gone, or hangs; SIGTERM and SIGKILL follow in any case.
  }
}

async function underWay(adminSocket: string): Promise<number> {
  const { body } = await adminGet(adminSocket, ACTIVE);
  return body
    .split('\n')
    .filter((line) => !OWN.test(line))
    .reduce((sum, line) => sum + (Number(line.split(': ')[1]) || 0), 0);
}

/** Ends an Envoy that an agent before us left behind at this socket: it would hold the ports of its successor. */
export async function endLeftover(adminSocket: string): Promise<boolean> {
  try {
    await adminCall('POST', adminSocket, '/quitquitquit', 1000);
    return true;
  } catch {
    return false;
  }
}
