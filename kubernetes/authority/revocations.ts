import { AuthorityError } from '../../ca/root/error.ts';
import { listText, parseList, type RevocationStore } from '../../ca/revocation/file.ts';
import { EMPTY_LIST } from '../../ca/revocation/list.ts';
import type { ApiClient } from '../api/client.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';
import { SecretStore, type StoredSecret } from './secret.ts';

const SECRET = 'gatehouse-revocations';
const KEY = 'revocations.json';

export interface SharedRevocations {
  readonly store: RevocationStore;
  /** Calls back whenever another may have changed the list; returns how to stop. */
  follow(changed: () => void): () => void;
}

/**
 * The list of who is cut off, in a Secret that all replicas share. Saving over a list that another replica changed meanwhile is refused:
 * the order is given again, on the new list.
 */
export function sharedRevocations(client: ApiClient, namespace: string): SharedRevocations {
  const secret = new SecretStore(client, namespace, SECRET);
  let known: StoredSecret | undefined;
  return {
    store: {
      async load() {
        known = await secret.read();
        const text = known?.data[KEY];
        if (text === undefined) return EMPTY_LIST;
        const list = parseList(Buffer.from(text).toString('utf8'));
        if (list === undefined)
          throw new AuthorityError(
            `${KEY} of the Secret ${secret.name} is damaged, so nobody knows who is revoked; restore it, or delete it and revoke again`,
          );
        return list;
      },
      async save(list) {
        const data = { [KEY]: Buffer.from(listText(list)) };
        const saved = known === undefined ? await secret.create(data) : await secret.replace(data, known);
        if (saved === undefined)
          throw new AuthorityError('another replica changed the list of revocations at the same moment; try again');
        known = saved;
      },
    },
    follow(changed) {
      const watch = new ResourceWatch({
        client,
        ...secret.watched,
        onTold: (told) => {
          // Our own writes come back as well; they are what is known already.
          if (told.kind === 'put' && told.objects.some(({ resourceVersion }) => resourceVersion !== known?.resourceVersion))
            changed();
        },
      });
      return () => watch.close();
    },
  };
}
