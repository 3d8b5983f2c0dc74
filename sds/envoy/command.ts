/** How one Envoy is run. */
export interface EnvoyRun {
  /** The Envoy binary. */
  readonly binary: string;
  readonly bootstrapPath: string;
  readonly logPath: string;
  readonly concurrency: number;
  /** Name of a network namespace (`ip netns`) to run in. */
  readonly netns?: string | undefined;
  /** The user and group to run as; only root can ask for others than its own. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly extraArgs: readonly string[];
  /** `setpriv` is there (util-linux). */
  readonly setpriv: boolean;
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

/**
 * The command line for an Envoy: `[ip netns exec NAME] [setpriv ...] envoy ...`. Each of these execs the next, so the
 * child's process id is Envoy's. Always an argument vector, never a shell.
 *
 * With setpriv, the kernel kills Envoy when the agent dies, however that happens: an Envoy that nobody keeps in
 * certificates would hold the ports that its successor needs.
 */
export function envoyCommand(run: EnvoyRun): Command {
  const [file = run.binary, ...args] = [...namespacePart(run), ...privilegePart(run), run.binary, ...envoyArgs(run)];
  return { file, args };
}

function namespacePart(run: EnvoyRun): readonly string[] {
  return run.netns === undefined ? [] : ['ip', 'netns', 'exec', run.netns];
}

function privilegePart(run: EnvoyRun): readonly string[] {
  const { owner } = run;
  if (owner === undefined) return run.setpriv ? ['setpriv', '--pdeathsig', 'KILL'] : [];
  const user = ['--reuid', String(owner.uid), '--regid', String(owner.gid), '--clear-groups', '--no-new-privs'];
  return ['setpriv', ...user, '--pdeathsig', 'KILL'];
}

function envoyArgs(run: EnvoyRun): readonly string[] {
  const chosen = new Set(run.extraArgs);
  const level = chosen.has('-l') || chosen.has('--log-level') ? [] : ['--log-level', 'warning'];
  return [
    '-c',
    run.bootstrapPath,
    // Shared memory of hot restart would tie together Envoys that have nothing to do with each other.
    '--disable-hot-restart',
    '--concurrency',
    String(run.concurrency),
    '--log-path',
    run.logPath,
    ...level,
    ...run.extraArgs,
  ];
}
