import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Access, AccessError } from './access.ts';

const MOUNTED = '/var/run/secrets/kubernetes.io/serviceaccount';

/** True in a Pod with a ServiceAccount's token. */
export function isInCluster(environment: Readonly<Record<string, string | undefined>>): boolean {
  return (environment['KUBERNETES_SERVICE_HOST'] ?? '') !== '';
}

/**
 * The API server of the cluster in which this Pod runs. Without the client library, which takes 88 MB. The kubelet replaces the token
 * every hour or so, hence it is read each time (kubernetes.io, "Configure Service Accounts for Pods").
 */
export async function inCluster(
  environment: Readonly<Record<string, string | undefined>>,
  folder: string = MOUNTED,
): Promise<Access> {
  const host = environment['KUBERNETES_SERVICE_HOST'] ?? '';
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? '443';
  const read = async (name: string): Promise<string> => {
    try {
      return (await readFile(join(folder, name), 'utf8')).trim();
    } catch {
      throw new AccessError(
        `${join(folder, name)} cannot be read: the Pod needs its ServiceAccount's token (automountServiceAccountToken: true)`,
      );
    }
  };
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    name: 'in-cluster',
    namespace: await read('namespace'),
    credentials: async () => ({
      tls: { ca: await read('ca.crt') },
      headers: { authorization: `Bearer ${await read('token')}` },
    }),
  };
}
