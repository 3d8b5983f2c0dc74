import assert from 'node:assert/strict';
import type { Route } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { compiledFor, snapshotOf } from './compiled.ts';

const PODS = `
apiVersion: v1
kind: Pod
metadata: {name: edge-pod, namespace: edge, labels: {gateway.networking.k8s.io/gateway-name: edge, app: edge}}
spec: {containers: [{name: proxy}]}
status: {podIP: 10.0.0.1, phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: other-pod, namespace: other, labels: {gateway.networking.k8s.io/gateway-name: edge}}
spec: {containers: [{name: proxy}]}
status: {podIP: 10.0.0.2, phase: Running}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
`;

const gateway = (listener: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: edge}
spec: {gatewayClassName: gatehouse, listeners: [${listener}]}
---
`;

const route = (namespace: string, rules: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: ${namespace}}
spec: {parentRefs: [{name: edge, namespace: edge}], rules: [${rules}]}
---
`;

const grant = (kind: string, namespace: string, to: string, home: string) => `
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: grant, namespace: ${home}}
spec: {from: [{group: gateway.networking.k8s.io, kind: ${kind}, namespace: ${namespace}}], to: [{group: "", kind: ${to}}]}
---
`;

const ALL = '{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}';
const TO_WEB = '{backendRefs: [{name: web, namespace: shop, port: 80}]}';

function routes(yaml: string): readonly Route[] {
  return compiledFor(snapshotOf(PODS + yaml), 'gateway:edge/edge-pod').routes.flatMap(({ virtualHosts }) =>
    virtualHosts.flatMap((host) => host.routes),
  );
}

const does = (one: Route | undefined): unknown => {
  if (one?.action.case === 'directResponse') return one.action.value.status;
  return one?.action.case === 'route' ? one.action.value.clusterSpecifier.value : one?.action.case;
};

describe('Gateway API', () => {
  it('a backend of another namespace needs a ReferenceGrant', () => {
    assert.equal(does(routes(gateway(ALL) + route('edge', TO_WEB))[0]), 500);
    const granted = gateway(ALL) + route('edge', TO_WEB) + grant('HTTPRoute', 'edge', 'Service', 'shop');
    assert.equal(does(routes(granted)[0]), 'outbound|80||web.shop.svc.cluster.local');
    const forOthers = gateway(ALL) + route('edge', TO_WEB) + grant('GRPCRoute', 'edge', 'Service', 'shop');
    assert.equal(does(routes(forOthers)[0]), 500);
  });

  it('listeners take routes of the namespaces that they allow', () => {
    assert.equal(does(routes(gateway(ALL) + route('shop', TO_WEB))[0]), 'outbound|80||web.shop.svc.cluster.local');
    const same = '{name: http, port: 80, protocol: HTTP}';
    assert.equal(does(routes(gateway(same) + route('shop', TO_WEB))[0]), 404);
  });

  it('pods of another namespace with the label are not the Gateway', () => {
    const snapshot = snapshotOf(PODS + gateway(ALL) + route('shop', TO_WEB));
    assert.equal(compiledFor(snapshot, 'gateway:edge/edge-pod').listeners.length, 1);
    assert.equal(compiledFor(snapshot, 'gateway:other/other-pod').listeners.length, 0);
  });

  it('a certificate of another namespace needs a ReferenceGrant', () => {
    const tls =
      '{name: https, port: 443, protocol: HTTPS, allowedRoutes: {namespaces: {from: All}}, tls: {certificateRefs: [{name: cert, namespace: keys}]}}';
    const listeners = (yaml: string) => compiledFor(snapshotOf(PODS + yaml), 'gateway:edge/edge-pod').listeners.length;
    assert.equal(listeners(gateway(tls) + route('shop', TO_WEB)), 0);
    assert.equal(listeners(gateway(tls) + route('shop', TO_WEB) + grant('Gateway', 'edge', 'Secret', 'keys')), 1);
  });

  it('a filter that is not there refuses the requests of its rule', () => {
    const rule =
      '{filters: [{type: ExtensionRef, extensionRef: {group: a.b, kind: C, name: d}}], backendRefs: [{name: web, namespace: shop, port: 80}]}';
    assert.equal(does(routes(gateway(ALL) + route('shop', rule))[0]), 500);
  });

  it('path prefixes match whole segments, and longer ones go first', () => {
    const rule = (path: string) =>
      `{matches: [{path: {type: PathPrefix, value: ${path}}}], backendRefs: [{name: web, port: 80}]}`;
    const found = routes(gateway(ALL) + route('shop', [rule('/'), rule('/a'), rule('/a/b/')].join(', ')));
    assert.deepEqual(
      found.map(({ match }) => [match?.pathSpecifier.case, match?.pathSpecifier.value]),
      [
        ['pathSeparatedPrefix', '/a/b'],
        ['pathSeparatedPrefix', '/a'],
        ['prefix', '/'],
      ],
    );
  });
});
