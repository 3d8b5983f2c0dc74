import type { Service, StaticEndpoint } from '../mesh/model/service.ts';

function sameLabels(one: Service['selector'], other: Service['selector']): boolean {
  if (one === undefined || other === undefined) return one === other;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}

/** Whether two services of one host are one service written in parts: of one owner, found in one way. */
function parts(one: Service, other: Service): boolean {
  return (
    one.meta.kind === other.meta.kind &&
    one.meta.namespace === other.meta.namespace &&
    one.resolution === other.resolution &&
    one.oneAddress === other.oneAddress &&
    one.subjectAltNames?.join() === other.subjectAltNames?.join() &&
    sameLabels(one.selector, other.selector)
  );
}

const joined = new WeakMap<Service, { readonly from: readonly Service[]; readonly made: Service }>();

/** One service of several parts: each port once, each endpoint for the ports that it was written beside. The same parts give the same object. */
function join(first: Service, others: readonly Service[]): Service {
  const from = others.filter((other) => parts(first, other));
  if (from.length === 0) return first;
  const known = joined.get(first);
  if (known?.from.length === from.length && known.from.every((part, at) => part === from[at])) return known.made;
  const taken = new Set<number>();
  const ports = [];
  const endpoints: StaticEndpoint[] = [];
  for (const part of [first, ...from]) {
    const own = part.ports.filter(({ port }) => !taken.has(port));
    for (const { port } of own) taken.add(port);
    ports.push(...own);
    const servicePorts = own.map(({ port }) => port);
    endpoints.push(...part.endpoints.map((endpoint) => ({ ...endpoint, servicePorts })));
  }
  const made = Object.freeze({ ...first, ports, endpoints });
  joined.set(first, { from, made });
  return made;
}

/**
 * The service that a host means in a namespace, of those that bear it: the namespace's own, else a Kubernetes Service, else the first.
 * ServiceEntries of one namespace that differ in their ports alone are one service.
 * @param candidates one at least, in snapshot order
 */
export function meantBy(candidates: readonly Service[], namespace: string): Service | undefined {
  if (candidates.length <= 1) return candidates[0];
  const rank = ({ meta }: Service): number => (meta.namespace === namespace ? 0 : 2) + (meta.kind === 'Service' ? 0 : 1);
  const [first, ...others] = candidates.toSorted((a, b) => rank(a) - rank(b));
  return first === undefined ? undefined : join(first, others);
}
