import type { Hostname } from '../model/hostname.ts';
import type { Service } from '../model/service.ts';

interface Made {
  readonly inputs: readonly unknown[];
  readonly service: Service;
}

/** By the Service as it was read: what it is an alias of, or its aliases, being the same, it is the same object again. */
const made = new WeakMap<Service, Made>();

function remade(service: Service, inputs: readonly unknown[], more: Pick<Service, 'aliasOf' | 'aliases'>): Service {
  const before = made.get(service);
  if (before?.inputs.length === inputs.length && before.inputs.every((one, at) => one === inputs[at])) return before.service;
  const next: Service = Object.freeze({ ...service, ...more });
  made.set(service, { inputs, service: next });
  return next;
}

/** The name that a Service of type ExternalName points to; undefined for others. */
export function pointsTo({ meta, external, endpoints }: Service): string | undefined {
  return meta.kind === 'Service' && external ? endpoints[0]?.address.toLowerCase() : undefined;
}

/**
 * Services of type ExternalName that point to a host of the mesh are other names of it, through any number of them
 * (Istio's `ENABLE_EXTERNAL_NAME_ALIAS`): what is said of that host holds for them. Those that point elsewhere, or in a circle, are left as they are.
 */
export function withAliases(services: readonly Service[]): readonly Service[] {
  const aliases = services.filter((service) => pointsTo(service) !== undefined);
  if (aliases.length === 0) return services;
  const hosts = new Map<string, Hostname>();
  const next = new Map<string, string>();
  for (const service of services) {
    const target = pointsTo(service);
    if (target === undefined) hosts.set(service.hostname, service.hostname);
    else if (!next.has(service.hostname)) next.set(service.hostname, target);
  }
  const concrete = (from: string): Hostname | undefined => {
    const seen = new Set<string>();
    for (let at: string | undefined = from; at !== undefined && !seen.has(at); at = next.get(at)) {
      seen.add(at);
      const host = hosts.get(at);
      if (host !== undefined) return host;
    }
    return undefined;
  };
  const resolved = new Map(aliases.map((alias) => [alias, concrete(pointsTo(alias) ?? '')]));
  const named = Map.groupBy(
    aliases.filter((alias) => resolved.get(alias) !== undefined),
    (alias) => resolved.get(alias),
  );
  return services.map((service) => {
    const aliasOf = resolved.get(service);
    if (aliasOf !== undefined) return remade(service, [aliasOf], { aliasOf });
    const own = pointsTo(service) === undefined ? named.get(service.hostname) : undefined;
    if (own === undefined) return service;
    const names = own.map(({ hostname }) => hostname);
    return remade(service, names, { aliases: names });
  });
}
