import type { ApiClient } from '../api/client.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';
import { SecretStore, type StoredSecret } from './secret.ts';

export interface SharedSecretText {
  /** How people find it. */
  readonly name: string;
  /** Undefined where there is none yet. */
  read(): Promise<string | undefined>;
  /** Durable once it resolves with true; false when somebody else wrote after it was read. */
  write(text: string): Promise<boolean>;
  /** Calls back when another may have changed it; returns how to stop. */
  follow(changed: () => void): () => void;
}

/**
 * A text under one key of a Secret that all replicas share.
 * @param whenGone whether to be called back also when somebody deletes it
 */
export function sharedSecretText(
  client: ApiClient,
  namespace: string,
  name: string,
  key: string,
  whenGone: boolean,
): SharedSecretText {
  const secret = new SecretStore(client, namespace, name);
  let known: StoredSecret | undefined;
  return {
    name: `${key} of the Secret ${secret.name}`,
    async read() {
      known = await secret.read();
      const text = known?.data[key];
      return text === undefined ? undefined : Buffer.from(text).toString('utf8');
    },
    async write(text) {
      const data = { [key]: Buffer.from(text) };
      const saved = known === undefined ? await secret.create(data) : await secret.replace(data, known);
      // Read again before the next write.
      if (saved === undefined) return false;
      known = saved;
      return true;
    },
    follow(changed) {
      const watch = new ResourceWatch({
        client,
        ...secret.watched,
        onTold: (told) => {
          const isOther =
            told.kind === 'put'
              ? told.objects.some(({ resourceVersion }) => resourceVersion !== known?.resourceVersion)
              : whenGone && told.kind === 'gone';
          if (isOther) changed();
        },
      });
      return () => watch.close();
    },
  };
}
