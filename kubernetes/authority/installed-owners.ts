import type { Logger } from 'pino';
import type { ApiClient } from '../api/client.ts';
import { listAt, textAt } from '../api/json.ts';
import type { Owner } from './trust-bundle.ts';

export interface InstalledOptions {
  readonly client: ApiClient;
  /** This revision's ClusterRole; undefined where it is not installed as a whole. */
  readonly clusterRole: string | undefined;
  readonly log: Logger;
}

/** How a revision's ClusterRole, and no tag's, is labelled; the namespace of the installation is in its name. */
const SELECTOR = 'app=gatehouse,gatehouse.dev/revision,!gatehouse.dev/tag';

/**
 * The ClusterRoles of all revisions that are installed, which own what they share. Empty where there is none, or they may not be seen: then what they share stays when
 * the installation goes.
 */
export async function installedOwners({ client, clusterRole, log }: InstalledOptions): Promise<readonly Owner[]> {
  if (clusterRole === undefined) return [];
  try {
    const query = new URLSearchParams({ labelSelector: SELECTOR }).toString();
    const roles = await client.request({ path: `/apis/rbac.authorization.k8s.io/v1/clusterroles?${query}` });
    const found = listAt(roles, 'items').flatMap((role) => {
      const [name, uid] = [textAt(role, 'metadata', 'name'), textAt(role, 'metadata', 'uid')];
      // One that ends is no owner any more.
      return uid === '' || textAt(role, 'metadata', 'deletionTimestamp') !== '' ? [] : [{ name, uid }];
    });
    return found.sort((one, other) => (one.name < other.name ? -1 : 1));
  } catch (error) {
    log.info({ err: error, clusterRole }, 'the ClusterRoles of the installation were not found');
    return [];
  }
}
