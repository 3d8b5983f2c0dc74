import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { TrustDomain } from '../../ca/identity/trust-domain.ts';
import { readOrCreateSecretRoot, secretRoot, type SecretRoot } from '../../ca/key-store/kubernetes-secret.ts';
import { writeAtomically } from '../../ca/root/atomic.ts';
import { AuthorityError } from '../../ca/root/error.ts';
import { rotationFile } from '../../ca/rotation/file.ts';
import { type Folder, folderAt, prepareFolder } from '../../ca/root/folder.ts';
import type { NewKey } from '../../ca/root/new.ts';
import { isNotFound } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';
import { SecretStore, storedSecret } from './secret.ts';

/** Istio's name for a CA that was plugged in; it is preferred where it is there. */
const PLUGGED_IN = 'cacerts';
/** The one that is made where none was plugged in. All revisions in a namespace share it. */
export const OWN = 'gatehouse-ca';
/** On either, once a root was rotated: which Secret has the authority since then. */
const ROTATED = 'gatehouse.dev/rotated-in';

/** Says so on the Secrets with which the authority began: without the other nobody must start from these again. */
export async function markRotated(client: ApiClient, namespace: string, where: string, log: Logger): Promise<void> {
  for (const name of [PLUGGED_IN, OWN]) {
    try {
      await new SecretStore(client, namespace, name).annotate({ [ROTATED]: where });
    } catch (error) {
      if (!isNotFound(error))
        log.warn({ err: error, secret: name }, 'that the authority was rotated could not be noted on this Secret');
    }
  }
}

export interface ClusterRootOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  /** The authority's folder, of this replica alone. */
  readonly dir: string;
  readonly trustDomain: TrustDomain;
  readonly key?: NewKey | undefined;
  readonly clock: () => Date;
  readonly log: Logger;
}

/**
 * The CA of a cluster: a Secret has it, and each replica a copy in its folder, from which the authority works. A Secret that changes is taken
 * over by all replicas, as files that change are; one that cannot sign is not, and neither is one that is deleted.
 * @returns how to stop following it
 * @throws AuthorityError when the Secret cannot be used; ApiError when it may not be read
 */
export async function clusterRoot(options: ClusterRootOptions): Promise<() => void> {
  const { client, namespace, dir, log } = options;
  const folder = folderAt(dir);
  await prepareFolder(folder);
  await checkNamespace(client, namespace);
  const pluggedIn = new SecretStore(client, namespace, PLUGGED_IN);
  const store = (await pluggedIn.read()) === undefined ? new SecretStore(client, namespace, OWN) : pluggedIn;
  const rotated = (await store.read())?.annotations[ROTATED];
  if (typeof rotated === 'string' || existsSync(rotationFile(dir)))
    throw new AuthorityError(
      `the root was rotated, and the Secret ${namespace}/${typeof rotated === 'string' ? rotated : 'gatehouse-ca-rotation'} that has the authority ` +
        'since then is gone; put it back from a backup: the root before it must not sign again',
    );
  const api = {
    name: store.name,
    read: async () => (await store.read())?.data,
    create: async (data: Readonly<Record<string, Uint8Array>>) =>
      (await store.create(data)) === undefined ? ('exists' as const) : ('created' as const),
  };
  await writeRoot(folder, await readOrCreateSecretRoot(api, options));
  log.info({ secret: store.name }, 'the authority is that of a Kubernetes Secret');

  const before = await readFile(folder.certificate, 'utf8');
  let taking: Promise<void> = Promise.resolve();
  const take = async (object: unknown): Promise<void> => {
    if (existsSync(rotationFile(dir))) {
      const changed = storedSecret(object).data['ca-cert.pem'];
      if (changed !== undefined && Buffer.from(changed).toString('utf8') !== before)
        log.warn(
          { secret: store.name },
          'the Secret of the authority changed and is not looked at any more: since a rotation another has the roots (gatehouse ca rotate --prepare --from)',
        );
      return;
    }
    try {
      await writeRoot(folder, await secretRoot(storedSecret(object).data, store.name, options));
    } catch (error) {
      log.error(
        { err: error, secret: store.name },
        'the Secret of the authority changed and cannot be used; the last good one stays in force',
      );
    }
  };
  const watch = new ResourceWatch({
    client,
    ...store.watched,
    onTold: (told) => {
      if (told.kind === 'gone')
        log.error(
          { secret: store.name },
          'the Secret of the authority was deleted; replicas that run keep it, one that starts would make a new root',
        );
      if (told.kind !== 'put') return;
      for (const { json } of told.objects) taking = taking.then(() => take(json));
    },
  });
  return () => watch.close();
}

/** A Secret cannot be made in a namespace that is not there, and the API server's answer to that does not say so. */
async function checkNamespace(client: ApiClient, namespace: string): Promise<void> {
  try {
    await client.request({ path: `/api/v1/namespaces/${namespace}` });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new AuthorityError(
      `there is no namespace ${namespace} for what the control plane keeps; run: kubectl create namespace ${namespace}, or name another with --system-namespace`,
    );
  }
}

/** The key is 0600. Files are replaced one by one; the authority takes them only together. */
async function writeRoot(folder: Folder, { keyText, certificate, chain, roots }: SecretRoot): Promise<void> {
  await put(folder.key, keyText, 0o600);
  await put(folder.certificate, certificate, 0o644);
  if (chain === undefined) await rm(folder.chain, { force: true });
  else await put(folder.chain, chain, 0o644);
  await put(folder.roots, roots, 0o644);
}

/** Unchanged files stay, so that nothing is loaded again for a list that began anew. */
async function put(path: string, text: string, mode: number): Promise<void> {
  const before = await readFile(path, 'utf8').catch(() => undefined);
  if (before !== text) await writeAtomically(path, text, mode);
}
