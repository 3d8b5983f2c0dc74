import assert from 'node:assert/strict';
import { compiledFor, snapshotOf } from './compiled.ts';
import { clientIn } from './workloads.ts';

const service = (name: string, spec: string, namespace = 'shop') => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}}
spec: {${spec}}
---`;

const alias = (name: string, of: string, namespace = 'shop') =>
  service(name, `type: ExternalName, externalName: ${of}, ports: [{name: http, port: 80}]`, namespace);

const MESH = `${clientIn('shop')}
${service('web', 'selector: {app: web}, ports: [{name: http, port: 80}]', 'back')}`;

const virtualService = (host: string, route: string, match = '') => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${host.replaceAll('.', '-')}, namespace: shop}
spec: {hosts: [${host}], http: [{${match}route: [${route}]}]}
---`;

/** The cluster to which the first route of a host on port 80 leads; undefined for a host that nobody claims. */
function clusterOf(yaml: string, host: string): string | undefined {
  const { routes } = compiledFor(snapshotOf(MESH + yaml), 'shop/client');
  const hosts = routes.find(({ name }) => name === '80')?.virtualHosts ?? [];
  const action = hosts.find(({ domains }) => domains.includes(host))?.routes[0]?.action;
  return action?.case === 'route' && action.value.clusterSpecifier.case === 'cluster'
    ? action.value.clusterSpecifier.value
    : undefined;
}

const clusters = (yaml: string) => compiledFor(snapshotOf(MESH + yaml), 'shop/client').clusters.map(({ name }) => name);

const WEB = 'outbound|80||web.back.svc.cluster.local';

describe('ExternalName Services', () => {
  it('that point to a host of the mesh are its other names, without clusters of their own', () => {
    const yaml = alias('front', 'web.back.svc.cluster.local');
    for (const host of ['front', 'front.shop', 'front.shop.svc.cluster.local', 'web.back'])
      assert.equal(clusterOf(yaml, host), WEB, host);
    assert.deepEqual(
      clusters(yaml).filter((name) => name.includes('front')),
      [],
    );
  });

  it('may point to each other, to ServiceEntries and without ports', () => {
    const chain = alias('a', 'b.shop.svc.cluster.local') + alias('b', 'web.back.svc.cluster.local.');
    assert.equal(clusterOf(chain, 'a'), WEB);
    const bare = service('bare', 'type: ExternalName, externalName: web.back.svc.cluster.local');
    assert.equal(clusterOf(bare, 'bare'), WEB);
    const entry = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: shop}
spec: {hosts: [api.example.com], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
---`;
    assert.equal(clusterOf(entry + alias('api', 'api.example.com'), 'api'), 'outbound|80||api.example.com');
  });

  it('that point to themselves or outside are services of their own', () => {
    const circle = alias('a', 'b.shop.svc.cluster.local') + alias('b', 'a.shop.svc.cluster.local');
    assert.equal(clusterOf(circle, 'a'), 'outbound|80||a.shop.svc.cluster.local');
    assert.equal(clusterOf(alias('out', 'api.example.com'), 'out'), 'outbound|80||out.shop.svc.cluster.local');
  });

  it('are routed as the host that they stand for, also as a destination', () => {
    const yaml =
      alias('front', 'web.back.svc.cluster.local') +
      service('other', 'selector: {app: other}, ports: [{name: http, port: 80}]') +
      virtualService('web.back.svc.cluster.local', '{destination: {host: other}}');
    assert.equal(clusterOf(yaml, 'front'), 'outbound|80||other.shop.svc.cluster.local');
    const toAlias = alias('front', 'web.back.svc.cluster.local') + virtualService('x.test', '{destination: {host: front}}');
    assert.equal(clusterOf(toAlias, 'x.test'), WEB);
  });

  it('have routes of their own under their full name alone', () => {
    const yaml =
      alias('front', 'web.back.svc.cluster.local') +
      service('other', 'selector: {app: other}, ports: [{name: http, port: 80}]') +
      virtualService('front.shop.svc.cluster.local', '{destination: {host: other}}');
    assert.equal(clusterOf(yaml, 'front.shop.svc.cluster.local'), 'outbound|80||other.shop.svc.cluster.local');
    assert.equal(clusterOf(yaml, 'front.shop'), WEB);
    assert.equal(clusterOf(yaml, 'web.back'), WEB);
  });
});
