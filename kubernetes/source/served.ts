import { isNotFound } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { listAt, textAt } from '../api/json.ts';
import { CUSTOM_GROUPS, nameOf, type Resource } from './resources.ts';

/** The version in which each custom resource is read, by its name; what is not served is not in it. */
export type Served = ReadonlyMap<string, string>;

/** Asks which custom resources are there (kubernetes.io, "API discovery"). @throws what `request` throws, but for what is not there */
export async function servedBy(client: ApiClient, resources: readonly Resource[]): Promise<Served> {
  const wanted = resources.filter((one) => one.custom);
  const plurals = new Map<string, ReadonlySet<string>>();
  await Promise.all(
    [...CUSTOM_GROUPS].map(async (group) => {
      const found = await orNothing(client.request({ path: `/apis/${group}` }));
      const ours = new Set(wanted.filter((one) => one.group === group).flatMap(({ versions }) => versions));
      const versions = listAt(found, 'versions').map((one) => textAt(one, 'version'));
      for (const version of versions.filter((one) => ours.has(one))) {
        const listed = await orNothing(client.request({ path: `/apis/${group}/${version}` }));
        plurals.set(`${group}/${version}`, new Set(listAt(listed, 'resources').map((one) => textAt(one, 'name'))));
      }
    }),
  );
  const served = new Map<string, string>();
  for (const resource of wanted) {
    const version = resource.versions.find((one) => plurals.get(`${resource.group}/${one}`)?.has(resource.plural) === true);
    if (version !== undefined) served.set(nameOf(resource), version);
  }
  return served;
}

async function orNothing(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
