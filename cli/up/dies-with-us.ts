import { findExecutable } from './executable.ts';

/**
 * The prefix with which the kernel ends a process as soon as `up` is gone, however that happens (prctl(2),
 * PR_SET_PDEATHSIG); empty where setpriv (util-linux) is missing. setpriv execs what follows, so the process id stays.
 */
export function diesWithUs(signal: 'TERM' | 'KILL'): readonly string[] {
  const setpriv = findExecutable('setpriv');
  return setpriv === undefined ? [] : [setpriv, '--pdeathsig', signal, '--'];
}
