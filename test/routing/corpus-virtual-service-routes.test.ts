import assert from 'node:assert/strict';
import { toJson } from '@bufbuild/protobuf';
import { stringify } from 'yaml';
import { RouteSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { parsePort } from '../../mesh/model/port.ts';
import { virtualServiceRoutes } from '../../routing/routes/virtual-service.ts';
import { scopeOf } from '../../routing/scope.ts';
import { EXTENSIONS } from '../../routing/wire/registry.ts';
import { inboundSecurity } from '../../xds/resources/security.ts';
import { divergences } from '../mesh/corpus/divergences.ts';
import { proxyOf, snapshotOf } from './compiled.ts';
import { corpusCases } from './corpora.ts';

interface Case {
  readonly id: string;
  readonly virtualService: {
    readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
    readonly spec: { readonly hosts?: readonly string[]; readonly gateways?: readonly string[] };
  };
  readonly meshOverrides: {
    readonly defaultConfig?: { readonly proxyHeaders?: { readonly xForwardedHost?: { readonly enabled?: boolean } } };
  };
  readonly listenPort: number;
  readonly gateways: readonly string[];
  readonly wantRoutes: readonly unknown[];
}

const SURROUNDINGS = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: examples, namespace: default}
spec:
  hosts: ["*.example.org", any.example.org]
  ports:
  - {number: 8080, name: http, protocol: HTTP}
  - {number: 8484, name: http-8484, protocol: HTTP}
  - {number: 65000, name: http-65000, protocol: HTTP}
  resolution: NONE
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: the-proxy, namespace: default}
spec: {template: {metadata: {labels: {app: the-proxy}}, spec: {containers: [{name: app}]}}}
---
`;

interface Hashed {
  readonly route?: {
    readonly cluster?: string;
    readonly hashPolicy?: readonly [
      {
        readonly cookie: {
          readonly name: string;
          readonly path?: string;
          readonly ttl?: string;
          readonly attributes?: readonly { readonly name: string; readonly value: string }[];
        };
      },
    ];
  };
}

/** Istio's test has the DestinationRules in its code: here they are what the routes that it wants say of them. */
function rulesOf(one: Case): string {
  return (one.wantRoutes as readonly Hashed[])
    .flatMap(({ route }, at) => {
      const [policy] = route?.hashPolicy ?? [];
      const [, port = '', subset = '', host = ''] = route?.cluster?.split('|') ?? [];
      if (policy === undefined) return [];
      const { ttl, ...cookie } = policy.cookie;
      // Admission takes whole milliseconds, and one case has a hundred nanoseconds.
      const httpCookie = { ...cookie, ...(ttl === undefined ? {} : { ttl: '1ms' }) };
      const level = { port: { number: Number(port) }, loadBalancer: { consistentHash: { httpCookie } } };
      const trafficPolicy = { portLevelSettings: [level] };
      const spec = {
        host,
        ...(subset === '' ? { trafficPolicy } : { subsets: [{ name: subset, labels: { at: 'x' }, trafficPolicy }] }),
      };
      const metadata = { name: `rule-${at}`, namespace: 'default' };
      return [stringify({ apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata, spec })];
    })
    .join('---\n');
}

/** Admission wants a destination that is one host; Istio's own test data has a wildcard. */
function oneHost(one: Case): Case {
  return JSON.parse(JSON.stringify(one).replaceAll('"*.', '"any.').replaceAll('|*.', '|any.')) as Case;
}

/** What Istio says for its own dashboards, a field that is going from Envoy, and times finer than a millisecond. */
const IGNORED: ReadonlySet<string> = new Set(['decorator', 'metadata', 'maxGrpcTimeout', 'ttl']);

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !IGNORED.has(key))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, plain(inner)]),
  );
}

describe('corpus: routes of VirtualServices', () => {
  const cases = corpusCases('virtualservice-routes') as readonly Case[];
  const apart = divergences('virtualservice-routes');
  it('has cases', function () {
    if (cases.length === 0) this.skip();
  });
  for (const one of cases.map(oneHost)) {
    it(one.id, function () {
      if (apart.has(one.id)) this.skip();
      const spec = { hosts: ['*.example.org'], ...one.virtualService.spec };
      const object = { ...one.virtualService, metadata: { namespace: 'default', ...one.virtualService.metadata }, spec };
      const forwarded = one.meshOverrides.defaultConfig?.proxyHeaders?.xForwardedHost?.enabled === true;
      const config = forwarded ? { forwardedHost: true as const } : {};
      const snapshot = snapshotOf(`${SURROUNDINGS}${stringify(object)}---\n${rulesOf(one)}`, config);
      const proxy = proxyOf(snapshot, 'default/the-proxy');
      const [virtual] = snapshot.virtualServices;
      const port = parsePort(one.listenPort);
      assert.ok(virtual !== undefined && port !== undefined);
      const gateways = new Set(one.gateways.map((name) => (name === 'mesh' || name.includes('/') ? name : `default/${name}`)));
      const routes = virtualServiceRoutes(
        scopeOf(snapshot, proxy, inboundSecurity(snapshot, proxy.workload)),
        { port, gateways },
        virtual,
      );
      const json = routes.map((route) => toJson(RouteSchema, route, { registry: EXTENSIONS }));
      assert.deepEqual(plain(json), plain(one.wantRoutes));
    });
  }
});
