import type { ApiClient } from '../api/client.ts';
import { DEFAULTS } from './options.ts';

/**
 * Where a command looks for the control plane when nobody says it: in the namespace of `gatehouse install`, and where that is not seen in
 * Istio's. Never rejects: a cluster that cannot be asked says so to the next question.
 */
export function installedNamespace(client: ApiClient): Promise<string> {
  return client.request({ path: `/api/v1/namespaces/${DEFAULTS.namespace}` }).then(
    () => DEFAULTS.namespace,
    () => 'istio-system',
  );
}
