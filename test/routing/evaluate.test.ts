import assert from 'node:assert/strict';
import { parsePort } from '../../mesh/model/port.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { evaluateRoute } from '../../routing/evaluate/evaluate.ts';
import type { RouteRequest } from '../../routing/evaluate/question.ts';
import { proxyOf, snapshotOf } from './compiled.ts';

const MESH = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {selector: {app: web}, ports: [{name: http, port: 80}, {name: tcp-db, port: 5432}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: app}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: edge, namespace: default}
spec: {template: {metadata: {labels: {istio: ingressgateway}}, spec: {containers: [{name: proxy}]}}}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gate, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*.test"]}
  - {port: {number: 8080, name: http-moved, protocol: HTTP}, hosts: [moved.test], tls: {httpsRedirect: true}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: default}
spec:
  hosts: [web.test]
  gateways: [gate]
  http:
  - match: [{headers: {"@request.auth.claims.group": {exact: admin}}}]
    directResponse: {status: 200, body: {string: admin}}
  - match: [{uri: {prefix: /below}}]
    delegate: {name: below, namespace: default}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: below, namespace: default}
spec:
  http:
  - match: [{uri: {prefix: /below/a}}]
    route: [{destination: {host: web, port: {number: 80}}}]
`;

const port = (number: number) => parsePort(number);

function ask(from: string, request: Partial<RouteRequest>, config: Partial<MeshConfig> = {}) {
  const snapshot = snapshotOf(MESH, config);
  const plain: RouteRequest = {
    method: 'GET',
    scheme: 'http',
    host: 'web',
    port: port(80),
    path: '/',
    headers: new Map(),
    claims: undefined,
  };
  return evaluateRoute(snapshot, proxyOf(snapshot, from), { ...plain, ...request });
}

const EDGE = 'gateway:default/edge';

describe('evaluating routes', () => {
  it('a host that no service has: passed on, or refused as outboundTrafficPolicy says', () => {
    assert.equal(ask('default/web', { host: 'nobody.test' }).outcome.kind, 'passthrough');
    const closed = { outboundTrafficPolicy: 'REGISTRY_ONLY' } as const;
    const { outcome } = ask('default/web', { host: 'nobody.test' }, closed);
    assert.deepEqual([outcome.kind, outcome.kind === 'refused' && outcome.status], ['refused', 502]);
    const nowhere = ask('default/web', { host: 'nobody.test', port: port(81) }, closed).outcome;
    assert.deepEqual([nowhere.kind, nowhere.kind === 'refused' && nowhere.status], ['refused', 0]);
  });

  it('a port of bytes is no place for HTTP routes', () => {
    assert.equal(ask('default/web', { host: 'web:5432', port: port(5432) }).outcome.kind, 'connection');
  });

  it('connections: by the labels and namespace of the caller, and by the narrowest block of the destination', () => {
    const to = (host: string) => `route: [{destination: {host: ${host}, port: {number: 5432}}}]`;
    const yaml = (routes: readonly string[]) => `${MESH}---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: default}
spec: {clusterIP: 10.9.8.7, ports: [{name: tcp, port: 5432}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: db, namespace: default}
spec: {hosts: [db], tcp: [${routes.map((one) => `{${one}}`).join(', ')}]}
`;
    const taken = (...routes: readonly string[]) => {
      const snapshot = snapshotOf(yaml(routes));
      const request: RouteRequest = {
        method: 'GET',
        scheme: 'http',
        host: 'db:5432',
        port: port(5432),
        path: '/',
        headers: new Map(),
        claims: undefined,
      };
      const { outcome } = evaluateRoute(snapshot, proxyOf(snapshot, 'default/web'), request);
      return outcome.kind === 'connection' ? outcome.destinations.map(({ host }) => host.split('.')[0]) : outcome.kind;
    };
    const match = (what: string, host: string) => `match: [{${what}}], ${to(host)}`;
    assert.deepEqual(taken(match('sourceLabels: {app: other}', 'one'), to('two')), ['two']);
    assert.deepEqual(taken(match('sourceLabels: {app: web}', 'one'), to('two')), ['one']);
    assert.deepEqual(taken(match('sourceNamespace: other', 'one'), to('two')), ['two']);
    assert.deepEqual(taken(match('port: 1', 'one')), ['db']);
    assert.deepEqual(taken(match('destinationSubnets: [10.9.0.0/16]', 'one'), to('two')), ['one']);
    assert.deepEqual(taken(match('destinationSubnets: [10.10.0.0/16]', 'one'), to('two')), ['two']);
    const blocks = [
      match('destinationSubnets: [10.9.0.0/16]', 'one'),
      match('destinationSubnets: [10.9.8.7]', 'two'),
      to('three'),
    ];
    assert.deepEqual(taken(...blocks), ['two']);
    assert.deepEqual(taken(to('three'), ...blocks.slice(0, 2)), ['three']);
  });

  it('a gateway answers 404 for a host that nobody claims, and has no connection on other ports', () => {
    const unknown = ask(EDGE, { host: 'other.test' }).outcome;
    assert.deepEqual([unknown.kind, unknown.kind === 'refused' && unknown.status], ['refused', 404]);
    const closed = ask(EDGE, { host: 'web.test', port: port(81) }).outcome;
    assert.deepEqual([closed.kind, closed.kind === 'refused' && closed.status], ['refused', 0]);
  });

  it('httpsRedirect needs no VirtualService', () => {
    const { outcome } = ask(EDGE, { host: 'moved.test', port: port(8080), path: '/x?y' });
    assert.deepEqual(outcome, { kind: 'redirect', status: 301, location: 'https://moved.test/x?y' });
  });

  it('reads claims of a verified token only', () => {
    const admin = { host: 'web.test', headers: new Map([['@request.auth.claims.group', ['admin']]]) };
    assert.equal(ask(EDGE, admin).outcome.kind, 'refused');
    assert.equal(ask(EDGE, { host: 'web.test', claims: { group: ['user', 'admin'] } }).outcome.kind, 'direct-response');
  });

  it('tells where a delegated route is written, and why others were not taken', () => {
    const { taken, skipped } = ask(EDGE, { host: 'web.test', path: '/below/a/b' });
    assert.equal(taken?.virtualService.name, 'default/web');
    assert.equal(taken?.delegate?.virtualService.name, 'default/below');
    assert.deepEqual(
      skipped.map(({ route, match, why }) => [route, match, why]),
      [[0, 0, 'headers @request.auth.claims.group: wants exact "admin"']],
    );
  });
});
