import type { ConnectionRoute, ParentRef, RequestRoute } from '../model/gateway-api.ts';
import type { Meta } from '../model/object.ts';
import { isHttp } from '../model/port.ts';
import type { Visibility } from '../model/service.ts';
import { ANY_REQUEST, type HttpRoute, type TcpRoute, type VirtualService } from '../model/virtual-service.ts';
import type { KnownService } from './asked-services.ts';
import { connectionTargets } from './at-gateways.ts';
import { metaOf } from './open.ts';
import { byPrecedence, rankedMatches, type Ranked } from './request-routes.ts';
import type { World } from './world.ts';
import { UNTOUCHED } from './untouched.ts';

interface Mine {
  readonly service: KnownService;
  /** The namespace whose callers it is for; undefined: all (the Service's owner wrote it). */
  readonly callers: string | undefined;
  readonly first: Meta;
  readonly requests: { readonly route: RequestRoute; readonly parent: ParentRef }[];
  readonly connections: { readonly route: ConnectionRoute; readonly parent: ParentRef }[];
}

function place(world: World, found: Map<string, Mine>, meta: Meta, parent: ParentRef): Mine | undefined {
  if (parent.kind !== 'Service' || (parent.group !== '' && parent.group !== 'core')) return undefined;
  const service = world.service(parent.namespace, parent.name);
  if (service === undefined) return undefined;
  const callers = meta.namespace === service.meta.namespace ? undefined : meta.namespace;
  const key = `${service.hostname} ${callers ?? ''}`;
  const mine = found.get(key) ?? { service, callers, first: meta, requests: [], connections: [] };
  found.set(key, mine);
  return mine;
}

/** Ports of which no route speaks go to the Service as ever. */
function untouched({ service, requests }: Mine): readonly HttpRoute[] {
  if (requests.some(({ parent }) => parent.port === undefined)) return [];
  const spoken = new Set(requests.map(({ parent }) => parent.port));
  return service.ports
    .filter(({ port }) => !spoken.has(port))
    .map(({ port }) => ({
      name: 'default',
      match: [{ ...ANY_REQUEST, port }],
      action: {
        kind: 'route',
        destinations: [{ destination: { host: service.hostname, subset: undefined, port }, weight: 1, headers: undefined }],
      },
      ...UNTOUCHED,
    }));
}

function virtualService(world: World, mine: Mine): VirtualService {
  const { service, callers, first, requests, connections } = mine;
  const exportTo: Visibility = callers === undefined ? { kind: 'all' } : { kind: 'namespaces', namespaces: [callers] };
  const ranked: Ranked[] = requests.flatMap(({ route, parent }) =>
    rankedMatches(world, { port: parent.port, listenPort: parent.port, gateways: ['mesh'], scheme: 'http' }, route),
  );
  const tcp: readonly TcpRoute[] = connections.flatMap(({ route, parent }) => {
    const destinations = connectionTargets(world, route);
    // Routes of connections are for ports that carry no HTTP.
    const ports = service.ports.filter(({ port, protocol }) =>
      parent.port === undefined ? !isHttp(protocol) : port === parent.port,
    );
    const match = ports.map(({ port }) => ({
      destinationSubnets: [],
      port,
      sourceLabels: {},
      sourceNamespace: undefined,
      gateways: ['mesh'],
    }));
    return destinations.length === 0 || match.length === 0 ? [] : [{ match, destinations }];
  });
  return {
    meta: metaOf(first, 'VirtualService', `${service.meta.namespace}~${service.meta.name}~routes`),
    hosts: [service.hostname],
    gateways: ['mesh'],
    exportTo,
    http: requests.length === 0 ? [] : [...ranked.sort(byPrecedence).map(({ http }) => http), ...untouched(mine)],
    tls: [],
    tcp,
  };
}

/** Routes at Services (GAMMA): those for one namespace's callers before those for all. */
export function inMesh(world: World): readonly VirtualService[] {
  const found = new Map<string, Mine>();
  for (const route of world.requestRoutes)
    for (const parent of route.parents) place(world, found, route.meta, parent)?.requests.push({ route, parent });
  for (const route of world.connectionRoutes)
    for (const parent of route.parents) place(world, found, route.meta, parent)?.connections.push({ route, parent });
  const all = [...found.values()];
  return [...all.filter(({ callers }) => callers !== undefined), ...all.filter(({ callers }) => callers === undefined)].map(
    (mine) => virtualService(world, mine),
  );
}
