import assert from 'node:assert/strict';
import { type Hostname, parseHostname } from '../../../mesh/model/hostname.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { sidecarFor } from '../../../routing/sidecar-scope.ts';
import { viewFrom } from '../../../routing/view.ts';
import type { Seen } from '../../../xds/scope/rule.ts';
import { AutomaticScopes } from '../../../xds/scope/scopes.ts';
import { scopedAutomatically } from '../../../xds/scope/switch.ts';
import { proxyOf, snapshotOf } from '../../routing/compiled.ts';

const named = (host: string): Hostname => parseHostname(host) ?? assert.fail(host);
const full = (name: string): Hostname => named(`${name}.shop.svc.cluster.local`);

const workload = (name: string, namespace = 'shop', labels = ''): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  template:
    metadata: {labels: {app: ${name}${labels}}}
    spec: {serviceAccountName: ${name}, containers: [{name: app, image: x, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}}
spec: {selector: {app: ${name}}, ports: [{name: http, port: 80, targetPort: 8080}]}
---`;

const MESH = ['web', 'users', 'fraud', 'carts', 'carts-next', 'copies'].map((name) => workload(name)).join('');
const ALLOW_WEB = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: users, namespace: shop}
spec:
  selector: {matchLabels: {app: users}}
  rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}], to: [{operation: {paths: [/one]}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: fraud, namespace: shop}
spec:
  selector: {matchLabels: {app: fraud}}
  rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/users]}}]}]
---`;
const ROUTES = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: carts, namespace: shop}
spec:
  hosts: [carts]
  http: [{route: [{destination: {host: carts}, weight: 90}, {destination: {host: carts-next}, weight: 10}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: users, namespace: shop}
spec:
  hosts: [users]
  http: [{route: [{destination: {host: users}}], mirrors: [{destination: {host: copies}}]}]
---`;

/** Scopes over calls that a test notes by itself. */
function world(called: Readonly<Record<string, readonly Hostname[]>> = {}) {
  const calls = new Map<string, ReadonlyMap<Hostname, Seen>>(
    Object.entries(called).map(([name, hosts]) => [name, new Map(hosts.map((host) => [host, { firstSeen: 1, lastSeen: 2 }]))]),
  );
  const nothing: ReadonlyMap<Hostname, Seen> = new Map();
  const scopes = new AutomaticScopes({
    everywhere: true,
    observed: { calledBy: (name) => calls.get(name) ?? nothing },
    clock: () => new Date(7),
  });
  const begun = new Set<string>();
  const told = (snapshot: Snapshot, name: string) => {
    const proxy = proxyOf(snapshot, name);
    // As each proxy does, with its first request.
    if (!begun.has(name)) scopes.begin({ namespace: proxy.workload.namespace, pod: proxy.instance.name }, []);
    begun.add(name);
    const view = viewFrom(snapshot, proxy.workload.namespace);
    const reasons = scopes.explain(snapshot, view, proxy);
    const set = scopes.scopeFor(snapshot, view, proxy);
    return { reasons, set, hosts: [...set.hosts].map((host) => host.replace('.shop.svc.cluster.local', '')).sort() };
  };
  return { scopes, told, calls };
}

describe('automatic scopes', () => {
  it('are empty at first, and then what was called and policy may allow', () => {
    const snapshot = snapshotOf(MESH + ALLOW_WEB);
    assert.deepEqual(world().told(snapshot, 'shop/web').hosts, []);
    const { told } = world({ 'shop/web': [full('users'), full('fraud'), full('gone'), full('copies')] });
    const { hosts, reasons } = told(snapshot, 'shop/web');
    assert.deepEqual(hosts, ['copies', 'users']);
    assert.deepEqual(reasons.get(full('users')), [{ kind: 'called', firstSeen: 1, lastSeen: 2 }]);
  });

  it('have what was asked for, whatever policy says: who is called refuses, and reports it', () => {
    const snapshot = snapshotOf(MESH + ALLOW_WEB);
    const { scopes, told } = world();
    scopes.ask(snapshot, proxyOf(snapshot, 'shop/web'), [
      'outbound|80||fraud.shop.svc.cluster.local',
      'outbound|80|v1|nobody.test',
    ]);
    const { set, reasons } = told(snapshot, 'shop/web');
    assert.deepEqual([...set.names], ['outbound|80||fraud.shop.svc.cluster.local', 'outbound|80|v1|nobody.test']);
    assert.deepEqual([...reasons], [[full('fraud'), [{ kind: 'asked', at: 7 }]]]);
    assert.deepEqual(told(snapshot, 'shop/users').hosts, [], 'another workload has not');
  });

  it('take no name that is none of a service', () => {
    const snapshot = snapshotOf(MESH);
    const { scopes, told } = world();
    scopes.ask(snapshot, proxyOf(snapshot, 'shop/web'), ['inbound|8080||', 'PassthroughCluster', 'outbound|80||bad host', '*']);
    assert.equal(told(snapshot, 'shop/web').set.names.size, 0);
  });

  it('remember a limited number of names that there are none of, and every service', () => {
    const snapshot = snapshotOf(MESH);
    const { scopes, told } = world();
    const many = Array.from({ length: 12_000 }, (_, at) => `outbound|80||x${at}.test`);
    scopes.ask(snapshot, proxyOf(snapshot, 'shop/web'), [...many, 'outbound|80||users.shop.svc.cluster.local']);
    const { set } = told(snapshot, 'shop/web');
    assert.equal(set.names.size, 10_000);
    assert.ok(set.hosts.has(full('users')));
  });

  it('have what a VirtualService leads to beside what is called, and mirrors always', () => {
    const snapshot = snapshotOf(MESH + ROUTES);
    assert.deepEqual(world().told(snapshot, 'shop/web').hosts, ['copies']);
    const { hosts, reasons } = world({ 'shop/web': [full('carts-next')] }).told(snapshot, 'shop/web');
    assert.deepEqual(hosts, ['carts', 'carts-next', 'copies']);
    assert.deepEqual(reasons.get(full('carts')), [{ kind: 'routed', by: 'shop/carts' }]);
    assert.deepEqual(reasons.get(full('copies')), [{ kind: 'mirrored', by: 'shop/users' }]);
  });

  it('take nothing from a proxy while it runs, and are made anew when it starts', () => {
    const { scopes, told, calls } = world({ 'shop/web': [full('users'), full('copies')] });
    const before = snapshotOf(MESH);
    assert.deepEqual(told(before, 'shop/web').hosts, ['copies', 'users']);
    calls.set('shop/web', new Map([[full('copies'), { firstSeen: 1, lastSeen: 2 }]]));
    const kept = told(before, 'shop/web');
    assert.deepEqual(kept.hosts, ['copies', 'users']);
    assert.deepEqual(kept.reasons.get(full('users')), [{ kind: 'held' }]);
    scopes.begin({ namespace: 'shop', pod: proxyOf(before, 'shop/web').instance.name }, []);
    assert.deepEqual(told(before, 'shop/web').hosts, ['copies']);
    scopes.begin({ namespace: 'shop', pod: proxyOf(before, 'shop/web').instance.name }, [
      'outbound|80|v1|fraud.shop.svc.cluster.local',
      'inbound|8080||',
    ]);
    assert.deepEqual(told(before, 'shop/web').hosts, ['copies', 'fraud']);
  });

  it('are everything before a proxy has said what it has: it may ask for something else first', () => {
    const { scopes } = world();
    const snapshot = snapshotOf(MESH);
    const proxy = proxyOf(snapshot, 'shop/web');
    const view = viewFrom(snapshot, 'shop');
    assert.equal(scopes.scopeFor(snapshot, view, proxy).hosts.size, view.serviceByHost.size);
    scopes.begin({ namespace: 'shop', pod: proxy.instance.name }, ['outbound|80||users.shop.svc.cluster.local']);
    assert.deepEqual([...scopes.scopeFor(snapshot, view, proxy).hosts], [full('users')]);
  });

  it('are the same object where they are equal, and as long as nothing changes', () => {
    const snapshot = snapshotOf(MESH);
    const { told } = world({ 'shop/web': [full('carts'), full('fraud')], 'shop/users': [full('fraud'), full('carts')] });
    const { set } = told(snapshot, 'shop/web');
    assert.equal(told(snapshot, 'shop/users').set, set);
    assert.equal(told(snapshotOf(MESH, {}, 2), 'shop/web').set, set);
  });

  it('are switched by labels of pods and namespaces, and never where a Sidecar holds or at a gateway', () => {
    const label = "'gatehouse.dev/automatic-scope'";
    const space = (value: string) =>
      `\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {${label}: ${value}}}\n---`;
    const sidecar = (namespace: string) =>
      `\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: default, namespace: ${namespace}}\nspec: {egress: [{hosts: ['*/*']}]}\n---`;
    const on = (yaml: string, otherwise: boolean, name = 'shop/web') => {
      const snapshot = snapshotOf(yaml);
      const proxy = proxyOf(snapshot, name);
      return scopedAutomatically(snapshot, proxy, sidecarFor(snapshot, proxy), otherwise);
    };
    assert.equal(on(MESH, false), false);
    assert.equal(on(MESH, true), true);
    assert.equal(on(MESH + space('enabled'), false), true);
    assert.equal(on(MESH + space('disabled'), true), false);
    assert.equal(on(MESH + space('maybe'), true), false);
    const pod = (value: string) => workload('own', 'shop', `, ${label}: ${value}`);
    assert.equal(on(pod('disabled') + space('enabled'), true, 'shop/own'), false);
    assert.equal(on(pod('enabled') + space('disabled'), false, 'shop/own'), true);
    assert.equal(on(MESH + space('enabled') + sidecar('shop'), true), false);
    assert.equal(on(MESH + sidecar('istio-system'), true), false);
    assert.equal(on(MESH + sidecar('other'), true), true);
    assert.equal(on(MESH, true, 'gateway:shop/web'), false);
  });
});
