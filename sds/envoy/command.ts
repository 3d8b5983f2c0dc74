/** How one Envoy is run. */
export interface EnvoyRun {
  /** The Envoy binary. */
  readonly binary: string;
  readonly bootstrapPath: string;
  readonly logPath: string;
  /** Threads; 0: one for each core. */
  readonly concurrency: number;
  /** Variables beside those of the agent. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Name of a network namespace (`ip netns`) to run in. */
  readonly netns?: string | undefined;
  /** The user and group to run as; only root can ask for others than its own. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly extraArgs: readonly string[];
  /** A command in place of the binary alone: Envoy's arguments follow its own, and its log is not put into a file. */
  readonly given?: GivenCommand | undefined;
}

/** An Envoy, or what execs one, with arguments of its own. */
export type GivenCommand = readonly [file: string, ...args: string[]];

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  /** Its standard error is the agent's own. */
  readonly foreground?: boolean;
}

/**
 * The command line for an Envoy: `[ip netns exec NAME] [setpriv ...] [env ...] envoy ...`. Each of these execs the next, so the
 * child's process id is Envoy's. Always an argument vector, never a shell.
 */
export function envoyCommand(run: EnvoyRun): Command {
  const { given = [run.binary] } = run;
  const [file = run.binary, ...args] = [
    ...namespacePart(run),
    ...privilegePart(run),
    ...environmentPart(run),
    ...given,
    ...envoyArgs(run),
  ];
  return { file, args, ...(run.given && { foreground: true }) };
}

function namespacePart(run: EnvoyRun): readonly string[] {
  return run.netns === undefined ? [] : ['ip', 'netns', 'exec', run.netns];
}

function privilegePart(run: EnvoyRun): readonly string[] {
  const { owner } = run;
  if (owner === undefined) return [];
  return ['setpriv', '--reuid', String(owner.uid), '--regid', String(owner.gid), '--clear-groups', '--no-new-privs'];
}

function environmentPart({ environment = {} }: EnvoyRun): readonly string[] {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return variables.length === 0 ? [] : ['env', '--', ...variables];
}

/** A replaced listener's connections are told to go at once and have Istio's 45 s to do so; Envoy's own default is 10 minutes. */
const DRAIN = [
  ['--drain-time-s', '45'],
  ['--drain-strategy', 'immediate'],
] as const;

function envoyArgs(run: EnvoyRun): readonly string[] {
  // `--name=value` and `--name value` are the same to Envoy, which refuses a flag that is there twice.
  const chosen = new Set([...(run.given ?? []), ...run.extraArgs].map((arg) => arg.split('=')[0]));
  const level = chosen.has('-l') || chosen.has('--log-level') ? [] : ['--log-level', 'warning'];
  const defaults = DRAIN.flatMap(([flag, value]) => (chosen.has(flag) ? [] : [flag, value]));
  const alone = (flag: string): readonly string[] => (chosen.has(flag) ? [] : [flag]);
  return [
    '-c',
    run.bootstrapPath,
    // Shared memory of hot restart would tie together Envoys that have nothing to do with each other.
    ...alone('--disable-hot-restart'),
    ...(chosen.has('--concurrency') || run.concurrency === 0 ? [] : ['--concurrency', String(run.concurrency)]),
    ...(run.given === undefined ? ['--log-path', run.logPath] : []),
    ...level,
    ...defaults,
    ...run.extraArgs,
  ];
}
