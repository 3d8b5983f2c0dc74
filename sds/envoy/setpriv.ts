import { execFile } from 'node:child_process';

/** Whether util-linux's setpriv is there and knows --pdeathsig (BusyBox has one that does not). */
export function hasSetpriv(): Promise<boolean> {
  return new Promise((resolve) => {
    execFile('setpriv', ['--pdeathsig', 'KILL', 'true'], { timeout: 5000 }, (error) => resolve(error === null));
  });
}
