import type { ApiClient } from '../api/client.ts';
import { listAt } from '../api/json.ts';
import { SecretStore, storedSecret } from '../authority/secret.ts';

const LABEL = 'gatehouse.dev/issuance-log';
const [KEY, NOTE] = ['verifier-key', 'checkpoint'] as const;

/** The newest checkpoint of one replica's issuance log. Signed, so that who can change it can hide a log and not forge one. */
export interface LogCheckpoint {
  readonly verifierKey: string;
  readonly note: string;
}

/**
 * Keeps a log's newest checkpoint in the cluster, for good: when a replica and all copies of its log are gone, it still says that there was one, and
 * how long it was.
 */
export async function publishCheckpoint(
  client: ApiClient,
  namespace: string,
  origin: string,
  { verifierKey, note }: LogCheckpoint,
): Promise<void> {
  const secret = new SecretStore(client, namespace, `gatehouse-log-${origin}`, { [LABEL]: 'true' });
  const data = { [KEY]: Buffer.from(verifierKey), [NOTE]: Buffer.from(note) };
  const stored = await secret.read();
  await (stored === undefined ? secret.create(data) : secret.replace(data, stored));
}

export async function publishedCheckpoints(client: ApiClient, namespace: string): Promise<readonly LogCheckpoint[]> {
  const found = await client.request({
    path: `/api/v1/namespaces/${namespace}/secrets?labelSelector=${encodeURIComponent(LABEL)}`,
  });
  return listAt(found, 'items').flatMap((item): LogCheckpoint[] => {
    const { data } = storedSecret(item);
    const [key, note] = [data[KEY], data[NOTE]].map((value) => value && Buffer.from(value).toString('utf8'));
    return key === undefined || note === undefined ? [] : [{ verifierKey: key, note }];
  });
}
