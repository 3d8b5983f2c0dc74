import type { Logger } from 'pino';
import { isConflict, isNotFound } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { textAt } from '../api/json.ts';
import type { ApiObject } from '../watch/object.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';
import { BUNDLE_NAMES, type BundleName, bundlePlan, type Owner, type Write } from './trust-bundle.ts';

export interface PublishOptions {
  readonly client: ApiClient;
  readonly rootsPem: () => string;
  /** Only one replica writes; all watch, so that the next one knows at once what there is. */
  readonly isLeader: () => boolean;
  /** The installation's ClusterRole; undefined where it is not installed as a whole. */
  readonly clusterRole: string | undefined;
  readonly log: Logger;
}

export interface BundlePublisher {
  /** To be called when the bundle or who leads has changed. */
  look(): void;
  close(): void;
}

const RETRY_MS = 2_000;

/** Keeps the trust bundle in every namespace, for agents that verify the control plane before they have anything else. */
export function publishBundle(options: PublishOptions): BundlePublisher {
  const { client, log } = options;
  const namespaces = new Map<string, ApiObject>();
  /** By name, and then by namespace. */
  const configMaps: Readonly<Record<BundleName, Map<string, ApiObject>>> = {
    'istio-ca-root-cert': new Map(),
    'gatehouse-ca-root-cert': new Map(),
  };
  let synced = 0;
  let closed = false;
  let [running, again] = [false, false];
  let owner: Owner | undefined;
  let complaint = '';

  const write = async ({ kind, namespace, name, body }: Write): Promise<void> => {
    const folder = `/api/v1/namespaces/${namespace}/configmaps`;
    try {
      await (kind === 'create'
        ? client.request({ method: 'POST', path: folder, body })
        : client.request({ method: 'PUT', path: `${folder}/${name}`, body }));
      log.info({ namespace, name }, 'the trust bundle was written');
    } catch (error) {
      // Changed or gone meanwhile, or the namespace ends: the watch tells.
      if (!isConflict(error) && !isNotFound(error)) throw error;
    }
  };
  const run = async (): Promise<void> => {
    owner ??= await ownerOf(options);
    const configMap = (namespace: string, name: BundleName) => configMaps[name].get(namespace);
    const plan = bundlePlan({ namespaces: namespaces.values(), configMap, rootsPem: options.rootsPem(), owner });
    const foreign = plan.foreign.join(', ');
    if (foreign !== '' && foreign !== complaint)
      log.warn({ configMaps: plan.foreign }, "another mesh's trust bundle is in these ConfigMaps; they are left alone");
    complaint = foreign;
    for (const one of plan.writes) {
      if (closed || !options.isLeader()) return;
      await write(one);
    }
  };
  const look = (): void => {
    again = true;
    if (running || closed || synced < watches.length || !options.isLeader()) return;
    running = true;
    again = false;
    void run()
      .catch((error: unknown) => {
        log.warn({ err: error }, 'the trust bundle could not be written to every namespace; tried again');
        setTimeout(look, RETRY_MS).unref();
      })
      .finally(() => {
        running = false;
        if (again) look();
      });
  };
  const follow = (path: string, query: Readonly<Record<string, string>>, into: Map<string, ApiObject>): ResourceWatch => {
    let [first, seen] = [true, new Set<string>()];
    return new ResourceWatch({
      client,
      path,
      query,
      onTold: (told) => {
        switch (told.kind) {
          case 'listing':
            seen = new Set();
            return;
          case 'put':
            for (const object of told.objects) {
              into.set(keyOf(object), object);
              seen.add(keyOf(object));
            }
            break;
          case 'gone':
            into.delete(keyOf(told.object));
            break;
          case 'listed':
            for (const name of into.keys()) if (!seen.has(name)) into.delete(name);
            if (first) synced += 1;
            first = false;
            break;
          case 'trouble':
          case 'recovered':
            return;
        }
        look();
      },
    });
  };
  const watches: readonly ResourceWatch[] = [
    follow('/api/v1/namespaces', {}, namespaces),
    ...BUNDLE_NAMES.map((name) => follow('/api/v1/configmaps', { fieldSelector: `metadata.name=${name}` }, configMaps[name])),
  ];
  return {
    look,
    close() {
      closed = true;
      for (const watch of watches) watch.close();
    },
  };
}

/** A namespace by its name, and what is in one by that: of each list there is one kind and, in a namespace, one name. */
function keyOf({ namespace, name }: ApiObject): string {
  return namespace === '' ? name : namespace;
}

/** Undefined where there is no such role, or it may not be read: then the ConfigMaps stay when the installation goes. */
async function ownerOf({ client, clusterRole, log }: PublishOptions): Promise<Owner | undefined> {
  if (clusterRole === undefined) return undefined;
  try {
    const role = await client.request({ path: `/apis/rbac.authorization.k8s.io/v1/clusterroles/${clusterRole}` });
    const uid = textAt(role, 'metadata', 'uid');
    return uid === '' ? undefined : { name: clusterRole, uid };
  } catch (error) {
    log.info({ err: error, clusterRole }, 'the ClusterRole of the installation was not found');
    return undefined;
  }
}
