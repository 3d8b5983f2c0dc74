import assert from 'node:assert/strict';
import { translated } from '../../../mesh/gateway-api/translate.ts';
import { ingressesTranslated } from '../../../mesh/ingress/translate.ts';
import { DEFAULT_MESH_CONFIG } from '../../../mesh/admit/mesh-config.ts';
import type { Ingress } from '../../../mesh/model/ingress.ts';
import type { Service } from '../../../mesh/model/service.ts';
import { parseHostname } from '../../../mesh/model/hostname.ts';
import { snapshotOf } from '../../routing/compiled.ts';

const service = (name: string): string => `
---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {selector: {app: ${name}}, ports: [{name: http, port: 80}]}
`;

const SNAPSHOT = snapshotOf(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec: {gatewayClassName: gatehouse, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  rules: [{backendRefs: [{name: web, port: 80}]}, {matches: [{path: {value: /late}}], backendRefs: [{name: late, port: 80}]}]
${service('web')}${service('other')}`);
const [LATE] = snapshotOf(service('late')).services;

const web = (one: Service): boolean => one.meta.name === 'web';
const other = (one: Service): boolean => one.meta.name === 'other';
/** The same list with some Services in another form. */
const changed = (which: (one: Service) => boolean, change: (one: Service) => Partial<Service>): readonly Service[] =>
  SNAPSHOT.services.map((one) => (which(one) ? { ...one, ...change(one) } : one));

/** Lists that leave all alone that is asked for, and lists that do not. */
const unrelated = (): readonly (readonly Service[])[] => [
  [...SNAPSHOT.services],
  changed(other, ({ ports }) => ({ ports: ports.slice(1) })),
  SNAPSHOT.services.filter((one) => !other(one)),
  changed(web, () => ({ addresses: [] })),
];
const related = (): readonly (readonly Service[])[] => [
  changed(web, () => ({ ports: [] })),
  SNAPSHOT.services.filter((one) => !web(one)),
];

describe('what is translated anew when Services change', () => {
  it('of the Gateway API: nothing, unless a Service that was asked for changed, came or went', () => {
    const { gatewayApi: objects, namespaces, configMaps } = SNAPSHOT;
    const { clusterDomain } = DEFAULT_MESH_CONFIG;
    const of = (services: readonly Service[]) => translated({ objects, services, namespaces, configMaps, clusterDomain });
    const first = of(SNAPSHOT.services);
    assert.equal(first.virtualServices.length, 1);
    for (const services of unrelated()) assert.equal(of(services), first);
    assert.ok(LATE !== undefined);
    for (const services of [...related(), [...SNAPSHOT.services, LATE]]) {
      assert.notEqual(of(services), of(SNAPSHOT.services));
      assert.notDeepEqual(of(services), of(SNAPSHOT.services));
    }
  });

  it('of Ingresses: nothing, unless the ports of a Service that a path names by one changed', () => {
    const host = parseHostname('web.shop.svc.cluster.local');
    const [meta] = SNAPSHOT.services.filter(web).map((one) => one.meta);
    assert.ok(host !== undefined && meta !== undefined);
    const ingress: Ingress = {
      meta: { ...meta, kind: 'Ingress', name: 'web' },
      annotatedClass: 'istio',
      className: undefined,
      tls: [],
      defaultBackend: undefined,
      rules: [{ host: undefined, paths: [{ path: '/', type: 'Prefix', backend: { service: 'web', host, port: 'http' } }] }],
    };
    const ingresses = [ingress];
    const of = (services: readonly Service[]) =>
      ingressesTranslated({ ingresses, classes: [], services, meshConfig: DEFAULT_MESH_CONFIG });
    const first = of(SNAPSHOT.services);
    assert.equal(first.virtualServices.length, 1);
    for (const services of unrelated()) assert.equal(of(services), first);
    for (const services of related()) assert.notDeepEqual(of(services), of(SNAPSHOT.services));
  });
});
