import type { GeneratedApiRoutes } from './gateway-api-arbitrary.ts';
import { caller, documents, pod, type Places, service } from './world.ts';

const GROUP = 'gateway.networking.k8s.io';
const api = (kind: string, name: string, spec: object, namespace = 'default'): object => ({
  apiVersion: `${GROUP}/v1`,
  kind,
  metadata: { name, namespace },
  spec,
});

export const apiHostOf = (index: number) => ({
  gateway: [`h${index}.test`, `H${index}.TEST`],
  mesh: [`s${index}`, `s${index}.default`, `s${index}.default.svc.cluster.local`],
  port: 8000,
});

/** The routes of one case: at the Gateway for a host, and at a Service of its own for the mesh. */
export function writtenApiRoutes(index: number, routes: GeneratedApiRoutes): readonly object[] {
  return routes.map((rules, at) =>
    api('HTTPRoute', `r${index}-${at}`, {
      parentRefs: [
        { name: 'gw', namespace: 'istio-system' },
        { group: '', kind: 'Service', name: `s${index}` },
      ],
      hostnames: [`h${index}.test`],
      rules,
    }),
  );
}

export function apiWorldYaml(places: Places, all: readonly GeneratedApiRoutes[]): string {
  const { upstreamPort, gatewayPort, servers } = places;
  const gatewayLabel = { [`${GROUP}/gateway-name`]: 'gw' };
  const objects = [
    ...['v1', 'v2', 'v3'].flatMap((name) => [
      service(name, { app: name }, 8000, upstreamPort),
      pod(name, 'default', servers[name] ?? '', { app: name }),
    ]),
    service('idle', { app: 'idle' }, 8000, upstreamPort),
    service('far', { app: 'other' }, 8000, upstreamPort, 'elsewhere'),
    service('near', { app: 'other' }, 8000, upstreamPort, 'granted'),
    pod('other', 'granted', servers['other'] ?? '', { app: 'other' }),
    api(
      'ReferenceGrant',
      'near',
      { from: [{ group: GROUP, kind: 'HTTPRoute', namespace: 'default' }], to: [{ group: '', kind: 'Service', name: 'near' }] },
      'granted',
    ),
    api(
      'Gateway',
      'gw',
      {
        gatewayClassName: 'gatehouse',
        listeners: [{ name: 'http', port: 80, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'All' } } }],
      },
      'istio-system',
    ),
    service('ingress', gatewayLabel, 80, gatewayPort, 'istio-system'),
    pod('ingress', 'istio-system', '127.0.0.1', gatewayLabel, { 'gatehouse.dev/bind-address': '127.0.0.1' }),
    caller(places),
    ...all.flatMap((routes, index) => [
      service(`s${index}`, { app: 'v1' }, 8000, upstreamPort),
      ...writtenApiRoutes(index, routes),
    ]),
  ];
  return documents(objects);
}
