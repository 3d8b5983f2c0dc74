import {
  type JoinTokenStore,
  joinTokenText,
  type ListedJoinToken,
  parseJoinTokenRecord,
} from '../../ca/authenticate/join-token-folder.ts';
import { type JoinTokenHash, parseJoinTokenHash } from '../../ca/authenticate/join-token.ts';
import type { ApiClient } from '../api/client.ts';
import { listAt, textAt } from '../api/json.ts';
import { type StoredSecret, SecretStore, storedSecret } from './secret.ts';

const PREFIX = 'gatehouse-join-';
const LABEL = 'gatehouse.dev/join-token';
const [RECORD, USED] = ['token.json', 'used'] as const;

/**
 * Join tokens in Secrets, one for each, named by its hash: the token itself is in none. Using one is a write over the version in which it was
 * unused; the API server takes one of those only, whichever replica it comes from. An answer that is lost leaves the token used.
 */
export function sharedJoinTokens(client: ApiClient, namespace: string): JoinTokenStore {
  const secretOf = (hash: JoinTokenHash): SecretStore =>
    new SecretStore(client, namespace, `${PREFIX}${hash}`, { [LABEL]: 'true' });
  const parse = (hash: JoinTokenHash, { data }: StoredSecret): ListedJoinToken | undefined => {
    const record = parseJoinTokenRecord(hash, Buffer.from(data[RECORD] ?? []).toString('utf8'));
    return record && { ...record, used: data[USED] !== undefined };
  };
  const list = async (): Promise<readonly ListedJoinToken[]> => {
    const found = await client.request({
      path: `/api/v1/namespaces/${namespace}/secrets?labelSelector=${encodeURIComponent(LABEL)}`,
    });
    const tokens = listAt(found, 'items').flatMap((item) => {
      const hash = parseJoinTokenHash(textAt(item, 'metadata', 'name').slice(PREFIX.length));
      return (hash && parse(hash, storedSecret(item))) ?? [];
    });
    return tokens.toSorted((a, b) => a.created.getTime() - b.created.getTime());
  };
  return {
    async create(record) {
      const made = await secretOf(record.hash).create({ [RECORD]: Buffer.from(joinTokenText(record)) });
      if (made === undefined) throw new Error('there is a join token of that hash already');
    },
    async find(hash) {
      const stored = await secretOf(hash).read();
      const token = stored && parse(hash, stored);
      return token === undefined || token.used ? undefined : token;
    },
    async use(hash) {
      const secret = secretOf(hash);
      const stored = await secret.read();
      if (stored === undefined || stored.data[USED] !== undefined) return false;
      return (await secret.replace({ ...stored.data, [USED]: Buffer.from('true') }, stored)) !== undefined;
    },
    list,
    delete: (hash) => secretOf(hash).delete(),
    async prune(before) {
      for (const { hash, expires } of await list()) if (expires < before) await secretOf(hash).delete();
    },
  };
}
