import type { ApiClient } from '../../../kubernetes/api/client.ts';
import { ApiResources } from '../../../kubernetes/objects/api-resources.ts';
import { type Asked, explain } from '../../../kubernetes/objects/explain.ts';
import { type ReadConfiguration, readConfiguration, type ReadWish } from '../../../kubernetes/objects/read-configuration.ts';
import { DEFAULT_MESH_CONFIG } from '../../../mesh/admit/mesh-config.ts';
import type { MeshConfig } from '../../../mesh/model/mesh-config.ts';
import { type LoadedMeshConfig, loadMeshConfig, readConfig } from '../../../mesh/source/mesh-config.ts';
import { type ClusterWish, openCluster } from '../../serve/cluster-options.ts';
import { hasErrors, printDiagnostics } from '../print-diagnostics.ts';
import type { DiagnosticsFormat } from '../options.ts';
import { refuse } from '../change.ts';

/** A cluster as one command speaks to it. */
export interface Session {
  readonly client: ApiClient;
  readonly resources: ApiResources;
  /** Of `-n`, or of the kubeconfig's context. */
  readonly namespace: string;
  readonly systemNamespace: string;
}

/** Does `work` with a cluster; what the cluster refuses as a whole is said, with exit code 1. */
export async function withSession(
  verb: Asked['verb'],
  wish: ClusterWish,
  namespace: string | undefined,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  let client: ApiClient | undefined;
  try {
    const cluster = await openCluster(wish);
    ({ client } = cluster);
    const own = namespace ?? client.access.namespace;
    await work({ client, resources: new ApiResources(client), namespace: own, systemNamespace: cluster.systemNamespace });
  } catch (error) {
    const access = { server: client?.access.server ?? '', context: client?.access.name ?? '' };
    const found = explain(error, { ...access, verb, resource: '', namespace: '' });
    if (found === undefined) throw error;
    refuse(verb, [withHint(found.reason, found.hint)]);
  } finally {
    client?.close();
  }
}

export function withHint(reason: string, hint: string | undefined): string {
  return hint === undefined ? reason : `${reason} (${hint})`;
}

export interface Surroundings {
  readonly existing: ReadConfiguration;
  readonly meshConfig: MeshConfig;
}

function namespacesOf(input: ReadWish['input']): readonly string[] {
  return [...new Set(input.map(({ namespace }) => namespace))].filter((one) => one !== '');
}

/** What the cluster has; undefined when its mesh configuration is wrong, which is then said. */
export async function surroundings(
  session: Session,
  input: ReadWish['input'],
  flags: { readonly together: boolean; readonly meshConfig?: string; readonly diagnostics: DiagnosticsFormat },
): Promise<Surroundings | undefined> {
  const { client, systemNamespace } = session;
  const existing: ReadConfiguration = flags.together
    ? await readConfiguration(client, { namespaces: namespacesOf(input), systemNamespace, input })
    : { objects: [], hidden: [], meshConfig: undefined };
  const loaded: LoadedMeshConfig =
    flags.meshConfig === undefined
      ? existing.meshConfig === undefined
        ? { meshConfig: DEFAULT_MESH_CONFIG, diagnostics: [] }
        : readConfig(`configmaps/${systemNamespace}/istio`, existing.meshConfig)
      : loadMeshConfig(flags.meshConfig);
  printDiagnostics(loaded.diagnostics, flags.diagnostics);
  if (hasErrors(loaded.diagnostics) && flags.meshConfig !== undefined) return undefined;
  return { existing, meshConfig: loaded.meshConfig ?? DEFAULT_MESH_CONFIG };
}
