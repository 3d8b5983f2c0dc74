import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { isConflict, isNotFound } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { textAt } from '../api/json.ts';
import type { ApiObject } from '../watch/object.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';
import { installedOwners } from './installed-owners.ts';
import { type Bundle, BUNDLE_NAMES, type BundleName, bundleOf, bundlePlan, type Owner, type Write } from './trust-bundle.ts';

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
/** How often it is looked which revisions are installed. */
const OWNERS_MS = 10_000;
/** The first start in a cluster of a thousand namespaces writes two thousand ConfigMaps: not all at once. */
const AT_ONCE = 4;
const MOST_PER_SECOND = 100;

/** Keeps the trust bundle in every namespace, for agents that verify the control plane before they have anything else. */
export function publishBundle(options: PublishOptions): BundlePublisher {
  const { client, log } = options;
  /** Those that do not end. */
  const namespaces = new Map<string, true>();
  /** By name, and then by namespace. */
  const configMaps: Readonly<Record<BundleName, Map<string, Bundle>>> = {
    'istio-ca-root-cert': new Map(),
    'gatehouse-ca-root-cert': new Map(),
  };
  let synced = 0;
  let closed = false;
  let [running, again] = [false, false];
  let owners: readonly Owner[] = [];
  let ownersAt = Number.NEGATIVE_INFINITY;
  let complaint = '';

  const write = async ({ kind, namespace, name, body }: Write): Promise<void> => {
    const folder = `/api/v1/namespaces/${namespace}/configmaps`;
    try {
      await (kind === 'create'
        ? client.request({ method: 'POST', path: folder, body })
        : client.request({ method: 'PUT', path: `${folder}/${name}`, body }));
      log.debug({ namespace, name }, 'the trust bundle was written');
    } catch (error) {
      // Changed or gone meanwhile, or the namespace ends: the watch tells.
      if (!isConflict(error) && !isNotFound(error)) throw error;
    }
  };
  const run = async (): Promise<void> => {
    if (performance.now() - ownersAt > OWNERS_MS) {
      owners = await installedOwners(options);
      ownersAt = performance.now();
    }
    const configMap = (namespace: string, name: BundleName) => configMaps[name].get(namespace);
    const plan = bundlePlan({ namespaces: namespaces.keys(), configMap, rootsPem: options.rootsPem(), owners });
    const foreign = plan.foreign.join(', ');
    if (foreign !== '' && foreign !== complaint)
      log.warn({ configMaps: plan.foreign }, "another mesh's trust bundle is in these ConfigMaps; they are left alone");
    complaint = foreign;
    if (plan.writes.length === 0) return;
    const began = performance.now();
    const rest = plan.writes.values();
    let begun = 0;
    const writer = async (): Promise<void> => {
      for (const one of rest) {
        if (closed || !options.isLeader()) return;
        begun += 1;
        const early = began + (begun * 1000) / MOST_PER_SECOND - performance.now();
        if (early > AT_ONCE) await delay(early, undefined, { ref: false });
        await write(one);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, writer));
    log.info({ written: plan.writes.length }, 'the trust bundle was written');
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
  /** @param kept what is kept of an object; undefined: it is as if it were not there */
  const follow = <Kept>(
    path: string,
    into: Map<string, Kept>,
    kept: (object: ApiObject) => Kept | undefined,
    how: Pick<ConstructorParameters<typeof ResourceWatch>[0], 'query' | 'accept' | 'listAccept'>,
  ): ResourceWatch => {
    let [first, seen] = [true, new Set<string>()];
    return new ResourceWatch({
      client,
      path,
      ...how,
      onTold: (told) => {
        switch (told.kind) {
          case 'listing':
            seen = new Set();
            return;
          case 'put':
            for (const object of told.objects) {
              const key = keyOf(object);
              const found = kept(object);
              if (found === undefined) into.delete(key);
              else into.set(key, found);
              if (found !== undefined) seen.add(key);
            }
            break;
          case 'gone':
            into.delete(keyOf(told.object));
            break;
          case 'listed':
            for (const name of into.keys()) if (!seen.has(name)) into.delete(name);
            seen = new Set();
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
    follow('/api/v1/namespaces', namespaces, (object) => (isEnding(object) ? undefined : true), {
      accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
      listAccept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
    }),
    ...BUNDLE_NAMES.map((name) =>
      follow('/api/v1/configmaps', configMaps[name], (object) => bundleOf(object, options.rootsPem()), {
        query: { fieldSelector: `metadata.name=${name}` },
      }),
    ),
  ];
  // Another revision that comes becomes an owner before this one may go.
  const owning = setInterval(look, OWNERS_MS).unref();
  return {
    look,
    close() {
      closed = true;
      clearInterval(owning);
      for (const watch of watches) watch.close();
    },
  };
}

/** A namespace by its name, and what is in one by that: of each list there is one kind and, in a namespace, one name. */
function keyOf({ namespace, name }: ApiObject): string {
  return namespace === '' ? name : namespace;
}

function isEnding({ json }: ApiObject): boolean {
  return textAt(json, 'metadata', 'deletionTimestamp') !== '';
}
