import assert from 'node:assert/strict';
import { compiledFor, snapshotOf } from './compiled.ts';

const service = (name: string, namespace: string, port: number): string => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}}
spec: {selector: {app: ${name}}, ports: [{name: http, port: ${port}}, {name: http-admin, port: 9000}]}
---`;

const client = (labels: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: client, namespace: shop}
spec: {template: {metadata: {labels: {app: client${labels}}}, spec: {containers: [{name: app, ports: [{containerPort: 8080}]}]}}}
---`;

const sidecar = (namespace: string, name: string, spec: string): string => `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: ${name}, namespace: ${namespace}}
spec: {${spec}}
---`;

const MESH = service('web', 'shop', 80) + service('db', 'shop', 81) + service('mail', 'office', 82) + service('wiki', 'docs', 83);

/** The clusters to services, as `name:port`. */
function reached(sidecars: string, labels = ''): readonly string[] {
  const { clusters } = compiledFor(snapshotOf(MESH + client(labels) + sidecars), 'shop/client');
  return clusters
    .flatMap(({ name }) => {
      const [direction, port, , host = ''] = name.split('|');
      return direction === 'outbound' ? [`${host.split('.')[0]}:${port}`] : [];
    })
    .sort();
}

const ALL = ['db:81', 'db:9000', 'mail:82', 'mail:9000', 'web:80', 'web:9000', 'wiki:83', 'wiki:9000'];

describe('what a Sidecar lets a proxy see', () => {
  it('is everything without one, or with one that says nothing of it', () => {
    assert.deepEqual(reached(''), ALL);
    assert.deepEqual(reached(sidecar('shop', 'default', 'outboundTrafficPolicy: {mode: ALLOW_ANY}')), ALL);
  });

  it('is the namespaces and hosts that it imports', () => {
    assert.deepEqual(reached(sidecar('shop', 'default', 'egress: [{hosts: ["./web.shop.svc.cluster.local", "office/*"]}]')), [
      'mail:82',
      'mail:9000',
      'web:80',
      'web:9000',
    ]);
    assert.deepEqual(reached(sidecar('shop', 'default', 'egress: [{hosts: ["~/*"]}]')), []);
    assert.deepEqual(
      reached(sidecar('shop', 'default', 'egress: [{hosts: ["*/*", "~office/*", "~/wiki.docs.svc.cluster.local"]}]')),
      ['db:81', 'db:9000', 'web:80', 'web:9000'],
    );
  });

  it('is one port of a host where a listener names it', () => {
    const egress = 'egress: [{port: {number: 9000, protocol: HTTP, name: admin}, hosts: ["office/*"]}, {hosts: ["./*"]}]';
    assert.deepEqual(reached(sidecar('shop', 'default', egress)), ['db:81', 'mail:9000', 'web:80']);
  });

  it('includes where imported VirtualServices lead', () => {
    const routed = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec: {hosts: [web], http: [{route: [{destination: {host: wiki.docs.svc.cluster.local, port: {number: 83}}}]}]}
---`;
    const only = sidecar('shop', 'default', 'egress: [{hosts: ["./web.shop.svc.cluster.local"]}]');
    assert.deepEqual(reached(routed + only), ['web:80', 'web:9000', 'wiki:83']);
  });

  it('is decided by the one that selects it, then its namespace, then the root namespace', () => {
    const root = sidecar('istio-system', 'default', 'egress: [{hosts: ["docs/*"]}]');
    const own = sidecar('shop', 'default', 'egress: [{hosts: ["office/*"]}]');
    const chosen = sidecar('shop', 'chosen', 'workloadSelector: {labels: {tier: front}}, egress: [{hosts: ["~/*"]}]');
    assert.deepEqual(reached(root), ['wiki:83', 'wiki:9000']);
    assert.deepEqual(reached(root + own + chosen), ['mail:82', 'mail:9000']);
    assert.deepEqual(reached(root + own + chosen, ', tier: front'), []);
  });

  it('decides what becomes of other traffic', () => {
    const rest = (mode: string) => {
      const yaml = MESH + client('') + sidecar('shop', 'default', `outboundTrafficPolicy: {mode: ${mode}}`);
      const { routes } = compiledFor(snapshotOf(yaml), 'shop/client');
      return routes.find(({ name }) => name === '80')?.virtualHosts.at(-1)?.name;
    };
    assert.equal(rest('ALLOW_ANY'), 'allow_any');
    assert.equal(rest('REGISTRY_ONLY'), 'block_all');
  });

  it('may name the ports that the workload takes traffic on, and where the application is', () => {
    const ingress = 'ingress: [{port: {number: 7000, protocol: HTTP, name: http}, defaultEndpoint: "127.0.0.1:8080"}]';
    const { clusters } = compiledFor(snapshotOf(MESH + client('') + sidecar('shop', 'default', ingress)), 'shop/client');
    const inbound = clusters.filter(({ name }) => name.startsWith('inbound|'));
    assert.deepEqual(
      inbound.map(({ name, loadAssignment }) => {
        const endpoint = loadAssignment?.endpoints[0]?.lbEndpoints[0]?.hostIdentifier;
        assert.ok(endpoint?.case === 'endpoint' && endpoint.value.address?.address.case === 'socketAddress');
        const { address, portSpecifier } = endpoint.value.address.address.value;
        return [name, `${address}:${portSpecifier.value}`];
      }),
      [['inbound|7000||', '127.0.0.1:8080']],
    );
  });
});
