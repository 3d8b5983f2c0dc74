import type { SecretData, SecretRoot } from '../../ca/key-store/kubernetes-secret.ts';
import { AuthorityError } from '../../ca/root/error.ts';
import { parseRotation, rotationText } from '../../ca/rotation/file.ts';
import type { RotationStore, SharedRotation } from '../../ca/rotation/shared.ts';
import { kept } from '../../ca/rotation/state.ts';
import type { ApiClient } from '../api/client.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';
import { SecretStore, type StoredSecret, storedSecret } from './secret.ts';

/** From the first rotation on the authority is what this Secret says; the one that it began with is history. */
export const ROTATION_SECRET = 'gatehouse-ca-rotation';
const RECORD = 'rotation.json';
const FILES = Object.freeze({
  keyText: 'ca-key.pem',
  certificate: 'ca-cert.pem',
  chain: 'cert-chain.pem',
  roots: 'root-cert.pem',
});

export interface ClusterRotation {
  readonly store: RotationStore;
  /** What is shared now; undefined where no root was ever rotated. @throws AuthorityError for one that cannot be read: nobody guesses what signs */
  load(): Promise<SharedRotation | undefined>;
  /** Told of each step, our own as well, in order; a step is known once `taken` resolves. Returns how to stop. */
  follow(taken: (shared: SharedRotation) => Promise<void>, trouble: (reason: string) => void): () => void;
}

/**
 * The rotation of a root over replicas: the record and the files of all roots that it needs in one Secret, so that a step is one write over the
 * version that was read. Of two steps at once the API server takes one.
 */
export function clusterRotation(client: ApiClient, namespace: string): ClusterRotation {
  const secret = new SecretStore(client, namespace, ROTATION_SECRET);
  let known: StoredSecret | undefined;
  const parse = ({ data }: StoredSecret): SharedRotation => {
    const shared = parseShared(data);
    if (shared === undefined)
      throw new AuthorityError(
        `the Secret ${secret.name} cannot be read as the state of a root rotation; restore it from a backup`,
      );
    return shared;
  };
  return {
    store: {
      async save(next) {
        const data = sharedData(next);
        const saved = known === undefined ? await secret.create(data) : await secret.replace(data, known);
        if (saved === undefined) return false;
        known = saved;
        return true;
      },
    },
    async load() {
      known = await secret.read();
      return known && parse(known);
    },
    follow(taken, trouble) {
      let turn: Promise<void> = Promise.resolve();
      const take = async (stored: StoredSecret): Promise<void> => {
        if (isOlder(stored, known)) return;
        try {
          await taken(parse(stored));
          // Only now a step of ours is one after this; and our own may have been saved meanwhile.
          if (!isOlder(stored, known)) known = stored;
        } catch (error) {
          trouble(error instanceof Error ? error.message : String(error));
        }
      };
      const watch = new ResourceWatch({
        client,
        ...secret.watched,
        onTold(told) {
          if (told.kind === 'gone')
            trouble(`the Secret ${secret.name} was deleted: put it back; replicas that run go on, one that starts cannot`);
          if (told.kind !== 'put') return;
          for (const { json } of told.objects) turn = turn.then(() => take(storedSecret(json)));
        },
      });
      return () => watch.close();
    },
  };
}

/** Versions of one object are numbers that grow (kubernetes.io, "Resource Version Comparison"). */
function isOlder({ resourceVersion }: StoredSecret, than: StoredSecret | undefined): boolean {
  const [one, other] = [resourceVersion, than?.resourceVersion ?? ''];
  return /^\d+$/.test(one) && /^\d+$/.test(other) && BigInt(one) < BigInt(other);
}

function sharedData({ record, roots }: SharedRotation): SecretData {
  const data: Record<string, Uint8Array> = { [RECORD]: Buffer.from(rotationText(record)) };
  for (const [generation, root] of roots) {
    data[`${generation}.${FILES.keyText}`] = Buffer.from(root.keyText);
    data[`${generation}.${FILES.certificate}`] = Buffer.from(root.certificate);
    if (root.chain !== undefined) data[`${generation}.${FILES.chain}`] = Buffer.from(root.chain);
    data[`${generation}.${FILES.roots}`] = Buffer.from(root.roots);
  }
  return data;
}

function parseShared(data: SecretData): SharedRotation | undefined {
  const text = (name: string): string | undefined => {
    const value = data[name];
    return value && Buffer.from(value).toString('utf8');
  };
  const record = parseRotation(text(RECORD) ?? '');
  if (record === undefined) return undefined;
  const roots = new Map<number, SecretRoot>();
  for (const generation of kept(record.state)) {
    const [keyText, certificate, pem] = [FILES.keyText, FILES.certificate, FILES.roots].map((name) =>
      text(`${generation}.${name}`),
    );
    if (keyText === undefined || certificate === undefined || pem === undefined) return undefined;
    roots.set(generation, { keyText, certificate, chain: text(`${generation}.${FILES.chain}`), roots: pem });
  }
  return { record, roots };
}
