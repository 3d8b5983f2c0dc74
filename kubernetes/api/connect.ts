import { type Access, AccessError } from './access.ts';
import { inCluster, isInCluster } from './in-cluster.ts';
import { fromKubeconfig, type KubeconfigWish } from './kubeconfig.ts';

/** As kubectl: what is named counts, then the Pod's own cluster, then the user's kubeconfig. @throws AccessError with what to do */
export async function clusterAccess(
  wish: KubeconfigWish,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Access> {
  const named = wish.file !== undefined || wish.context !== undefined || (environment['KUBECONFIG'] ?? '') !== '';
  const access = !named && isInCluster(environment) ? await inCluster(environment) : await fromKubeconfig(wish);
  if (!URL.canParse(access.server)) throw new AccessError(`"${access.server}" is no address of an API server`);
  return access;
}
