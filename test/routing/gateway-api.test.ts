import assert from 'node:assert/strict';
import type { Route } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { fromBinary } from '@bufbuild/protobuf';
import { UpstreamTlsContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
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

const BACKEND_TLS = `
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: web, namespace: shop}
spec: {targetRefs: [{group: "", kind: Service, name: web}], validation: {hostname: web.test, wellKnownCACertificates: System}}
---
`;

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

  it('a Secret keeps its namespace where the pods are of another one', () => {
    const ingress = `
apiVersion: v1
kind: Service
metadata: {name: ingress, namespace: other}
spec: {selector: {gateway.networking.k8s.io/gateway-name: edge}, ports: [{name: https, port: 443}]}
---
`;
    const tls = '{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}';
    const names = (yaml: string, proxy: string) =>
      JSON.stringify(compiledFor(snapshotOf(PODS + ingress + yaml), proxy).listeners, (_key, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : typeof value === 'bigint' ? String(value) : value,
      ).match(/kubernetes:\/\/[a-z/]+/g);
    assert.deepEqual(names(gateway(tls), 'gateway:edge/edge-pod'), ['kubernetes://cert']);
    const addressed = gateway(tls).replace(
      'spec: {',
      'spec: {addresses: [{type: Hostname, value: ingress.other.svc.cluster.local}], ',
    );
    assert.deepEqual(names(addressed, 'gateway:other/other-pod'), ['kubernetes://edge/cert']);
  });

  it('a BackendTLSPolicy is in force beside DestinationRules of the caller and of the Service, which keep all but TLS', () => {
    const rule = (namespace: string, tls: string) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: ${namespace}, creationTimestamp: "2020-01-01T00:00:00Z"}
spec: {host: web.shop.svc.cluster.local, trafficPolicy: {connectionPool: {tcp: {maxConnections: 7}}${tls}}}
---
`;
    const toWeb = (rules: string) => {
      const snapshot = snapshotOf(PODS + gateway(ALL) + route('shop', TO_WEB) + BACKEND_TLS + rules);
      const web = compiledFor(snapshot, 'gateway:edge/edge-pod').clusters.find((one) => one.name.includes('web.shop'));
      if (web?.transportSocket?.configType.case !== 'typedConfig') return { sni: undefined, connections: undefined };
      const { sni } = fromBinary(UpstreamTlsContextSchema, web.transportSocket.configType.value.value);
      return { sni, connections: web.circuitBreakers?.thresholds[0]?.maxConnections };
    };
    assert.equal(toWeb('').sni, 'web.test');
    for (const home of ['edge', 'shop'])
      for (const tls of ['', ', tls: {mode: DISABLE}', ', tls: {mode: SIMPLE, sni: other.test}'])
        assert.deepEqual(toWeb(rule(home, tls)), { sni: 'web.test', connections: 7 }, `${home}${tls}`);
  });

  it('the certificate toward backends is that of one Gateway, by a ReferenceGrant, where a BackendTLSPolicy is', () => {
    const more = `
apiVersion: v1
kind: Pod
metadata: {name: beside, namespace: edge, labels: {gateway.networking.k8s.io/gateway-name: second}}
spec: {containers: [{name: proxy}]}
status: {podIP: 10.0.0.3, phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: caller, namespace: edge, labels: {gateway.networking.k8s.io/gateway-name: edge, app: caller}}
spec: {containers: [{name: proxy}]}
status: {podIP: 10.0.0.4, phase: Running}
---
`;
    const second = gateway(ALL).replace('name: edge', 'name: second');
    const both = route('shop', TO_WEB).replace('parentRefs: [', 'parentRefs: [{name: second, namespace: edge}, ');
    const shown = (ref: string, rest: string, ...names: readonly string[]) => {
      const withRef = gateway(ALL).replace('spec: {', `spec: {tls: {backend: {clientCertificateRef: ${ref}}}, `);
      // Of one snapshot: what proxies share must not be the certificate.
      const snapshot = snapshotOf(PODS + more + withRef + second + both + rest);
      return names.map((name) => {
        const web = compiledFor(snapshot, name).clusters.find((one) => one.name.includes('web.shop'));
        assert.ok(web?.transportSocket?.configType.case === 'typedConfig');
        const { commonTlsContext } = fromBinary(UpstreamTlsContextSchema, web.transportSocket.configType.value.value);
        return commonTlsContext?.tlsCertificateSdsSecretConfigs.map((one) => one.name);
      });
    };
    const [far, edge] = ['{name: cert, namespace: keys}', 'gateway:edge/edge-pod'];
    const granted = grant('Gateway', 'edge', 'Secret', 'keys');
    assert.deepEqual(shown(far, BACKEND_TLS, edge), [[]], 'no grant');
    assert.deepEqual(shown(far, BACKEND_TLS + granted, edge), [['kubernetes://keys/cert']]);
    assert.deepEqual(shown('{kind: ConfigMap, name: cert}', BACKEND_TLS, edge), [[]]);
    const own = ['kubernetes://cert'];
    assert.deepEqual(
      shown('{name: cert}', BACKEND_TLS, 'edge/caller', edge, 'gateway:edge/beside', edge, 'edge/caller'),
      [[], own, [], own, []],
      'neither another Gateway nor a sidecar',
    );
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
