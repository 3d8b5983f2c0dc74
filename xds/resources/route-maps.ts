import type { EncodedResource, Resources } from '../resource-set.ts';
import { type InlineHost, inlineRoutes } from './inline-routes.ts';
import type { Outbound, Routes } from './outbound.ts';
import { same } from './pieces.ts';
import { routesApart } from './routes.ts';

/** Kept by what they follow from: most changes leave them as they are. */
const apartMaps = new WeakMap<readonly EncodedResource[], WeakMap<readonly Routes[], Resources>>();
const inlineMaps = new WeakMap<
  Outbound['hosts'],
  { readonly whole: Outbound['whole']; readonly routes: Outbound['routes']; readonly made: Resources }
>();

/** Route configurations as delta has them, with their virtual hosts apart. */
export function routesOf({ whole, routes }: Outbound): Resources {
  const known = apartMaps.get(whole) ?? new WeakMap<readonly Routes[], Resources>();
  apartMaps.set(whole, known);
  const made: Resources =
    known.get(routes) ?? new Map([...routes.map(({ empty }) => routesApart(empty)), ...whole].map((one) => [one.name, one]));
  known.set(routes, made);
  return made;
}

/** Route configurations with their virtual hosts in them. */
export function routesInline({ whole, routes, hosts }: Outbound, before: Outbound | undefined): Resources {
  const known = inlineMaps.get(hosts);
  if (known?.whole === whole && known.routes === routes) return known.made;
  const old = before === undefined ? undefined : inlineMaps.get(before.hosts)?.made;
  const made = routes.map(({ empty, order }) => {
    const parts = order.flatMap((name): readonly InlineHost[] => {
      const resource = hosts.get(name);
      return resource === undefined ? [] : [{ name: name.slice(empty.name.length + 1), resource }];
    });
    return inlineRoutes(empty, parts);
  });
  const all = new Map([...made, ...whole].map((one) => [one.name, same(old?.get(one.name), one)]));
  inlineMaps.set(hosts, { whole, routes, made: all });
  return all;
}
