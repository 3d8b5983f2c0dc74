import assert from 'node:assert/strict';
import type { Route } from '#gen/envoy/config/route/v3/route_components_pb.js';
import type { RouteConfiguration } from '#gen/envoy/config/route/v3/route_pb.js';
import { divergences } from '../mesh/corpus/divergences.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { corpusCases, corpusFile } from './corpora.ts';

interface Case {
  readonly id: string;
  readonly config: string;
  readonly proxy: { readonly namespace: string };
  readonly routeName: string;
  /** Virtual-host domain to the clusters of its routes; null: there is no such domain. */
  readonly want: Readonly<Record<string, readonly string[] | null>>;
  readonly wantRouteAbsent: boolean;
}

function clustersOf(route: Route): readonly string[] {
  if (route.action.case !== 'route') return [];
  const to = route.action.value.clusterSpecifier;
  if (to.case === 'cluster') return [to.value];
  return to.case === 'weightedClusters' ? to.value.clusters.map(({ name }) => name) : [];
}

function clustersFor(routes: RouteConfiguration, domain: string): readonly string[] | null {
  const host = routes.virtualHosts.find(({ domains }) => domains.includes(domain));
  return host === undefined ? null : [...new Set(host.routes.flatMap(clustersOf))];
}

const proxy = (namespace: string) => `
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: the-proxy, namespace: ${namespace}}
spec: {template: {metadata: {labels: {app: the-proxy}}, spec: {containers: [{name: app}]}}}
`;

describe('corpus: sidecar routes', () => {
  const cases = corpusCases('sidecar-routes') as readonly Case[];
  it('has cases', function () {
    if (cases.length === 0) this.skip();
  });
  for (const one of cases) {
    it(one.id, () => {
      const yaml = corpusFile('sidecar-routes', one.config) ?? '';
      const compiled = compiledFor(snapshotOf(yaml + proxy(one.proxy.namespace)), `${one.proxy.namespace}/the-proxy`);
      const routes = compiled.routes.find(({ name }) => name === one.routeName);
      if (one.wantRouteAbsent || divergences('sidecar-routes').has(one.id)) {
        assert.equal(routes, undefined);
        return;
      }
      assert.ok(routes !== undefined, `no routes ${one.routeName}`);
      const found = Object.fromEntries(Object.keys(one.want).map((domain) => [domain, clustersFor(routes, domain)]));
      assert.deepEqual(found, one.want);
    });
  }
});
