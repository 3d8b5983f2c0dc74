import { type Command, Option } from 'commander';
import { parsed, type Parsed, refused } from '../../ca/identity/parsed.ts';
import type { ApiClient } from '../../kubernetes/api/client.ts';
import type { RolloutChoice } from '../../kubernetes/install/options.ts';
import type { ObservedObjects } from '../../kubernetes/status/observed.ts';

export interface ClusterFlags {
  readonly filename?: readonly string[];
  readonly kubernetes?: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly systemNamespace?: string;
  readonly clusterRole?: string;
  readonly rollouts?: RolloutChoice;
}

/** A cluster as the source of the mesh. */
export interface ClusterWish {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Where the control plane and the mesh's own configuration are; undefined: where it is installed, else Istio's. */
  readonly systemNamespace: string | undefined;
  readonly clusterRole: string | undefined;
  readonly rollouts?: RolloutChoice | undefined;
}

/** A cluster that is spoken to. */
export interface Cluster {
  readonly client: ApiClient;
  /** What stands in the cluster beside the objects of the mesh: their status. */
  readonly observed: ObservedObjects;
  readonly systemNamespace: string;
  /** The ClusterRole of the installation, which owns what is written into other namespaces. */
  readonly clusterRole: string | undefined;
  /** Whether the objects of rollouts are written; where that is not said, the rights of the account decide. */
  readonly rollouts: RolloutChoice;
}

export function kubeconfigOptions(): readonly Option[] {
  return [
    new Option('--kubeconfig <file>', 'how to reach the cluster (default: the own one in a Pod, else as kubectl)'),
    new Option('--context <name>', "which of the kubeconfig's contexts"),
  ];
}

export function addClusterOptions(command: Command): Command {
  command.option('--kubernetes', 'the mesh is that of a cluster: its objects are watched instead of files');
  for (const option of kubeconfigOptions()) command.addOption(option);
  command.option('--cluster-role <name>', "the installation's ClusterRole: what is written into other namespaces goes with it");
  command.addOption(
    new Option(
      '--rollouts <how>',
      'NamespaceRollouts of a cluster: write the policies of their stages, or only say what they are',
    ).choices(['enabled', 'propose']),
  );
  // Not looked for: a control plane that guesses where it is installed might make another authority there.
  return command.addOption(
    new Option('--system-namespace <name>', "the control plane's namespace, with Istio's ConfigMap istio (--kubernetes)")
      .env('POD_NAMESPACE')
      .default('istio-system'),
  );
}

/** Of commands that ask a control plane, or read what it reads. */
export function systemNamespaceOption(): Option {
  return new Option(
    '--system-namespace <name>',
    "the control plane's namespace, with Istio's ConfigMap istio (default: gatehouse-system where there is one, else istio-system)",
  ).env('POD_NAMESPACE');
}

/** Undefined where the mesh comes from files. */
export function parseClusterFlags(flags: ClusterFlags): Parsed<ClusterWish | undefined> {
  const files = (flags.filename ?? []).length > 0;
  if (flags.kubernetes !== true) {
    if (flags.rollouts !== undefined) return refused('--rollouts is for --kubernetes');
    if (flags.kubeconfig !== undefined || flags.context !== undefined)
      return refused('--kubeconfig and --context are for --kubernetes');
    return files ? parsed(undefined) : refused('give -f PATH, or --kubernetes');
  }
  if (files) return refused('the mesh is that of files (-f) or that of a cluster (--kubernetes), not of both');
  const { kubeconfig, context, systemNamespace, clusterRole, rollouts } = flags;
  return parsed({ kubeconfig, context, systemNamespace, clusterRole, rollouts });
}

/** @throws AccessError with what to do */
export async function openCluster({
  kubeconfig,
  context,
  systemNamespace,
  clusterRole,
  rollouts = 'enabled',
}: ClusterWish): Promise<Cluster> {
  // Loaded only for this: a mesh of files needs no Kubernetes.
  const [{ clusterAccess }, { apiClient }, { ObservedObjects }, { installedNamespace }] = await Promise.all([
    import('../../kubernetes/api/connect.ts'),
    import('../../kubernetes/api/client.ts'),
    import('../../kubernetes/status/observed.ts'),
    import('../../kubernetes/install/installed-namespace.ts'),
  ]);
  const client = apiClient(await clusterAccess({ file: kubeconfig, context }));
  const namespace = systemNamespace ?? (await installedNamespace(client));
  return { client, observed: new ObservedObjects(), systemNamespace: namespace, clusterRole, rollouts };
}
