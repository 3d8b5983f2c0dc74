import { isIP } from 'node:net';
import type { DestinationRule } from '../../mesh/model/destination-rule.ts';
import { endpointsOf } from '../../mesh/model/endpoints.ts';
import { covers } from '../../mesh/model/hostname.ts';
import { selects } from '../../mesh/model/object.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Destination, Headers, RouteDestination } from '../../mesh/model/virtual-service.ts';
import type { View } from '../view.ts';
import { visibleFrom } from '../visibility.ts';
import type { Target } from './answer.ts';
import { named, namedService } from './named.ts';
import type { Asker } from './question.ts';

/** What destinations are looked up in. */
export interface World {
  readonly snapshot: Snapshot;
  readonly view: View;
  readonly asker: Asker;
}

/**
 * The DestinationRules for a service: of the caller's namespace, else of the service's, else of the root one. There the most specific host
 * counts, and of those rules the ones that choose the caller by its labels, where any does.
 */
function rulesToward({ snapshot, view, asker }: World, service: Service): readonly DestinationRule[] {
  for (const home of [view.namespace, service.meta.namespace, snapshot.meshConfig.rootNamespace]) {
    const seen = snapshot.destinationRules.filter(
      (rule) =>
        rule.meta.namespace === home &&
        covers(rule.host, service.hostname) &&
        (home === view.namespace || visibleFrom(rule.exportTo, home, view.namespace)),
    );
    const longest = Math.max(...seen.map(({ host }) => (host === service.hostname ? Number.MAX_SAFE_INTEGER : host.length)));
    const closest = seen.filter(({ host }) => (host === service.hostname ? Number.MAX_SAFE_INTEGER : host.length) === longest);
    const chosen = closest.filter(
      ({ workloadSelector }) => workloadSelector !== undefined && selects(workloadSelector, asker.instance.labels),
    );
    const held = chosen.length > 0 ? chosen : closest.filter(({ workloadSelector }) => workloadSelector === undefined);
    if (held.length > 0) return held;
  }
  return [];
}

function authorityIn(headers: Headers | undefined): string | undefined {
  return Object.entries(headers?.request.set ?? {}).find(([name]) => /^(?::authority|host)$/i.test(name))?.[1];
}

export { authorityIn };

export function portOf({ view }: World, destination: Destination, asked: Port): Port {
  const ports = (view.serviceByHost.get(destination.host) ?? view.aliased(destination.host))?.ports ?? [];
  return destination.port ?? (ports.length === 1 ? ports[0]?.port : undefined) ?? asked;
}

function addresses(world: World, service: Service, port: Port, labels: Readonly<Record<string, string>>): readonly string[] {
  const found = service.ports.find((one) => one.port === port);
  if (found === undefined) return [];
  // Where Envoy is told addresses, it resolves no names.
  const told = ({ address }: { readonly address: string }) =>
    service.resolution !== 'endpoints' || isIP(address) !== 0 || address.startsWith('unix://');
  const all = endpointsOf(world.snapshot, service, found).filter((one) => selects(labels, one.labels) && told(one));
  return all.map((one) => `${isIP(one.address) === 6 ? `[${one.address}]` : one.address}:${one.port}`);
}

/**
 * One destination and what stands behind it.
 * @param unknown the answer where there is no such destination at all
 */
export function target(
  world: World,
  { destination, weight, headers }: RouteDestination,
  share: number,
  asked: Port,
  authority: string,
  unknown: 500 | 503 = 503,
): Target {
  const { host, subset } = destination;
  const port = portOf(world, destination, asked);
  const service = world.view.serviceByHost.get(host) ?? world.view.aliased(host);
  const rule =
    service === undefined || subset === undefined
      ? undefined
      : rulesToward(world, service).find(({ subsets }) => subsets.some(({ name }) => name === subset));
  const labels = rule?.subsets.find(({ name }) => name === subset)?.labels ?? {};
  const endpoints = service === undefined ? [] : addresses(world, service, port, labels);
  // Of those that were written or selected there may be none; only where there never are any the host itself is resolved.
  const listed = service?.resolution === 'dns' && (service.selector !== undefined || service.endpoints.length > 0);
  const byName = service !== undefined && service.resolution !== 'endpoints' && !listed;
  const absent =
    service === undefined
      ? `no service ${host} is visible from ${world.view.namespace}`
      : !service.ports.some((one) => one.port === port)
        ? `${host} has no port ${port}`
        : subset !== undefined && rule === undefined
          ? `no DestinationRule names the subset ${subset} of ${host}`
          : undefined;
  const why = absent ?? (endpoints.length === 0 && !byName ? 'no endpoint is ready' : undefined);
  return {
    host,
    subset,
    port,
    weight,
    share,
    service: service === undefined ? undefined : namedService(service.meta),
    destinationRule: rule === undefined ? undefined : named('DestinationRule', rule.meta),
    endpoints: byName && endpoints.length === 0 ? [`${host}:${port} (resolved by name)`] : endpoints,
    authority,
    headers,
    trouble: why === undefined ? undefined : { status: absent === undefined ? 503 : unknown, why },
  };
}

/** Weights are shares of their sum. One destination has everything, whatever its weight. */
export function shares(destinations: readonly RouteDestination[]): readonly (readonly [RouteDestination, number])[] {
  if (destinations.length === 1) return destinations.map((one) => [one, 1] as const);
  const sum = destinations.reduce((total, { weight }) => total + weight, 0);
  return destinations.filter(({ weight }) => weight > 0).map((one) => [one, one.weight / sum] as const);
}
