import { isNotFound } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { DEFAULTS } from './options.ts';

/**
 * The namespace of the control plane where nobody says it: what `gatehouse install` takes, and in a cluster without it Istio's. Who may not
 * see namespaces is taken for a user of an installation: what is asked for next says what is missing.
 */
export async function installedNamespace(client: ApiClient): Promise<string> {
  try {
    await client.request({ path: `/api/v1/namespaces/${DEFAULTS.namespace}` });
  } catch (error) {
    if (isNotFound(error)) return 'istio-system';
  }
  return DEFAULTS.namespace;
}
