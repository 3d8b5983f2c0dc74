import type { JwtKeyDocument } from '../../ca/jwt-svid/key-file.ts';
import type { ApiClient } from '../api/client.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';
import { SecretStore, type StoredSecret } from './secret.ts';

const SECRET = 'gatehouse-jwt-keys';
const KEY = 'jwt-keys.json';

/**
 * The keys of JWT-SVIDs in a Secret that all replicas share, so that what one signs verifies with the bundle of each. A key is published for
 * minutes before it signs, so that it is in every replica's bundle by then; while the API server is away no key is made, and the last signs on.
 */
export function sharedJwtKeys(client: ApiClient, namespace: string): JwtKeyDocument {
  const secret = new SecretStore(client, namespace, SECRET);
  let known: StoredSecret | undefined;
  return {
    name: `${KEY} of the Secret ${secret.name}`,
    async read() {
      known = await secret.read();
      const text = known?.data[KEY];
      return text === undefined ? undefined : Buffer.from(text).toString('utf8');
    },
    async write(text) {
      const data = { [KEY]: Buffer.from(text) };
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
          if (told.kind === 'put' && told.objects.some(({ resourceVersion }) => resourceVersion !== known?.resourceVersion))
            changed();
        },
      });
      return () => watch.close();
    },
  };
}
