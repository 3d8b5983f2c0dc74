import { type Command, Option } from 'commander';
import { type Parsed, parsed, refused } from '../../../ca/identity/parsed.ts';
import { type ClusterWish, kubeconfigOptions, systemNamespaceOption } from '../../serve/cluster-options.ts';
import { meshConfigOption } from '../options.ts';

/** What says that a cluster is meant, and which. */
export interface ClusterFlags {
  readonly kubernetes?: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly systemNamespace?: string;
}

/** Of commands that change a cluster. */
export interface ChangeClusterFlags extends ClusterFlags {
  readonly dryRun?: DryRun;
  readonly meshConfig?: string;
  /** False: each object is checked by itself only. */
  readonly together: boolean;
  readonly forceConflicts?: boolean;
}

export type DryRun = 'none' | 'client' | 'server';

/** `--kubernetes` and what goes with it. */
export function addClusterFlags(command: Command): Command {
  command.option('--kubernetes', 'the objects of a cluster, in place of a folder (so do --kubeconfig and --context)');
  for (const option of [...kubeconfigOptions(), systemNamespaceOption()]) command.addOption(option);
  return command;
}

export function dryRunOption(): Option {
  return new Option('--dry-run [where]', 'in a cluster: change nothing; server: it is asked what it would do; client: it is not')
    .choices(['none', 'client', 'server'])
    .preset('server');
}

/** Of `apply`, `create` and `replace`. */
export function addPutFlags(command: Command): Command {
  return addClusterFlags(command)
    .addOption(dryRunOption())
    .addOption(meshConfigOption())
    .option('--no-together', "in a cluster: check each object by itself, not with the cluster's others");
}

/** Undefined: a folder is meant. */
export function clusterWish(command: Command, flags: ClusterFlags): Parsed<ClusterWish | undefined> {
  const { kubernetes = false, kubeconfig, context, systemNamespace } = flags;
  if (!kubernetes && kubeconfig === undefined && context === undefined) {
    const given = ['dryRun', 'meshConfig', 'forceConflicts', 'together'].filter(
      (name) => command.getOptionValueSource(name) === 'cli',
    );
    return given.length === 0 ? parsed(undefined) : refused(`${given.map(flagOf).join(', ')}: only with --kubernetes`);
  }
  if (command.getOptionValueSource('dir') === 'cli')
    return refused('give --dir for a folder, or --kubernetes for a cluster, not both');
  return parsed({ kubeconfig, context, systemNamespace, clusterRole: undefined });
}

function flagOf(name: string): string {
  return name === 'together' ? '--no-together' : `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
