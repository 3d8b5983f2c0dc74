import { ApiError } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { isJson, type Json, textAt } from '../api/json.ts';
import { pruned } from '../source/prune.ts';
import { configMapsNamedBy } from '../source/references.ts';
import { apiVersionOf, CONFIG_MAPS, nameOf, objectPath, placeOf, type Resource, RESOURCES } from '../source/resources.ts';
import { servedBy } from '../source/served.ts';
import { listObjects } from './list-objects.ts';

export interface PlacedObject {
  /** As `virtualservices.networking.istio.io/shop/users`. */
  readonly place: string;
  readonly object: Json;
}

export interface ReadConfiguration {
  readonly objects: readonly PlacedObject[];
  /** Resources of which not everything may be read. */
  readonly hidden: readonly string[];
  /** Text of MeshConfig; undefined: there is none, or it may not be read. */
  readonly meshConfig: string | undefined;
}

export interface ReadWish {
  readonly namespaces: readonly string[];
  readonly systemNamespace: string;
  /** Objects that are to come: what they name is read too. */
  readonly input: readonly { readonly apiVersion: string; readonly namespace: string; readonly value: Json }[];
}

const AT_ONCE = 6;

/**
 * What the mesh of a cluster is made of, read once: for a command, which has no time for watches. What a user may not read of all
 * namespaces is read of those that are named.
 */
export async function readConfiguration(
  client: ApiClient,
  { namespaces, systemNamespace, input }: ReadWish,
): Promise<ReadConfiguration> {
  const served = await servedBy(client, RESOURCES);
  const objects: PlacedObject[] = [];
  const hidden: string[] = [];
  const left = RESOURCES.filter((one) => one.byReference !== true).flatMap((resource) => {
    const version = resource.custom ? served.get(nameOf(resource)) : resource.versions[0];
    return version === undefined ? [] : [{ resource, version }];
  });
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const { resource, version } = next;
      const found = await readable(client, resource, version, namespaces);
      if (found.hidden) hidden.push(nameOf(resource));
      for (const json of found.objects) {
        const name = textAt(json, 'metadata', 'name');
        const place = placeOf(resource, { namespace: textAt(json, 'metadata', 'namespace'), name });
        objects.push({ place, object: pruned(resource.kind, apiVersionOf(resource, version), json) });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const all = [
    ...objects.map(({ object }) => ({
      apiVersion: textAt(object, 'apiVersion'),
      namespace: textAt(object, 'metadata', 'namespace'),
      value: object,
    })),
    ...input,
  ];
  for (const name of new Set(all.flatMap(named))) {
    const [namespace = '', own = ''] = name.split('/');
    const found = await orNone(client.request({ path: objectPath(CONFIG_MAPS, 'v1', { namespace, name: own }) }));
    if (isJson(found))
      objects.push({ place: placeOf(CONFIG_MAPS, { namespace, name: own }), object: pruned(CONFIG_MAPS.kind, 'v1', found) });
  }
  return { objects, hidden: hidden.toSorted(), meshConfig: await meshConfigOf(client, systemNamespace) };
}

async function readable(
  client: ApiClient,
  resource: Resource,
  version: string,
  namespaces: readonly string[],
): Promise<{ readonly objects: readonly Json[]; readonly hidden: boolean }> {
  const apiVersion = apiVersionOf(resource, version);
  const kind = { apiVersion, kind: resource.kind, plural: resource.plural, namespaced: true };
  const list = (namespace: string) => listObjects(client, kind, { namespace, query: resource.query });
  try {
    return { objects: await list(''), hidden: false };
  } catch (error) {
    if (!isForbidden(error)) throw error;
  }
  const some = await Promise.all(namespaces.map((namespace) => list(namespace).catch((error: unknown) => ofForbidden(error))));
  return { objects: some.flat(), hidden: true };
}

async function meshConfigOf(client: ApiClient, systemNamespace: string): Promise<string | undefined> {
  const map = await orNone(
    client.request({ path: objectPath(CONFIG_MAPS, 'v1', { namespace: systemNamespace, name: 'istio' }) }),
  );
  return textAt(map, 'data', 'mesh') || undefined;
}

function named({ apiVersion, namespace, value }: ReadWish['input'][number]): readonly string[] {
  return [
    ...configMapsNamedBy(
      { group: apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '' },
      namespace,
      value,
    ),
  ];
}

/** What is not there, or may not be read. */
async function orNone(answer: Promise<unknown>): Promise<unknown> {
  return answer.catch((error: unknown) => {
    if (error instanceof ApiError && (error.status === 404 || isForbidden(error))) return undefined;
    throw error;
  });
}

/** Cluster-wide resources in a namespace are not found. */
function ofForbidden(error: unknown): readonly Json[] {
  if (error instanceof ApiError && (error.status === 404 || isForbidden(error))) return [];
  throw error;
}

function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}
