import type { Logger } from 'pino';
import { isInCluster } from '../../kubernetes/api/in-cluster.ts';
import type { WatchedSecrets } from '../../kubernetes/secrets/watched-secrets.ts';

export interface ClusterSecretsFlags {
  readonly kubernetesSecrets?: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly pod?: 'sidecar' | 'router';
}

/**
 * The Secrets that a gateway is to show, read by its own ServiceAccount: no key passes through the control plane, which needs no right to
 * any. A gateway's pod without an API token serves all the same, but for such Secrets.
 * @throws AccessError where the flag asks for a cluster that cannot be reached as it is configured
 */
export async function clusterSecrets(
  { kubernetesSecrets = false, kubeconfig, context, pod }: ClusterSecretsFlags,
  log: Logger,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<WatchedSecrets | undefined> {
  const wanted = kubernetesSecrets || kubeconfig !== undefined || context !== undefined;
  if (!wanted && (pod !== 'router' || !isInCluster(environment))) return undefined;
  const [{ clusterAccess }, { apiClient }, { WatchedSecrets: Watched }] = await Promise.all([
    import('../../kubernetes/api/connect.ts'),
    import('../../kubernetes/api/client.ts'),
    import('../../kubernetes/secrets/watched-secrets.ts'),
  ]);
  try {
    const client = apiClient(await clusterAccess({ file: kubeconfig, context }, environment));
    return new Watched({ client, log });
  } catch (error) {
    if (wanted) throw error;
    log.error({ error: String(error) }, 'Secrets of Gateways cannot be read: this pod has no access to the API server');
    return undefined;
  }
}
