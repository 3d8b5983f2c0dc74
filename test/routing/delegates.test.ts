import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import type { VirtualService } from '../../mesh/model/virtual-service.ts';
import { virtualServices } from '../../routing/delegates.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { table } from './corpus-units.ts';

const SURROUNDINGS = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: client, namespace: default}
spec: {template: {metadata: {labels: {app: client}}, spec: {containers: [{name: client}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: default}
spec: {selector: {app: shop}, ports: [{name: http, port: 80}]}
---
`;

const virtual = (name: string, spec: object): string =>
  `${stringify({ apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name, namespace: 'default' }, spec })}---\n`;

const to = { route: [{ destination: { host: 'shop' } }] };

function httpOf(yaml: string, name = 'root'): VirtualService['http'] {
  const found = virtualServices(snapshotOf(SURROUNDINGS + yaml)).find(({ meta }) => meta.name === name);
  assert.ok(found !== undefined);
  return found.http;
}

describe('delegates', () => {
  it("put their routes in the root's place, between its others", () => {
    const yaml =
      virtual('root', {
        hosts: ['shop'],
        http: [
          { name: 'first', match: [{ uri: { exact: '/first' } }], ...to },
          { name: 'items', match: [{ uri: { prefix: '/items' } }], delegate: { name: 'items' }, timeout: '3s' },
          { name: 'last', ...to },
        ],
      }) +
      virtual('items', {
        http: [
          { name: 'one', match: [{ uri: { exact: '/items/1' } }], timeout: '1s', ...to },
          { name: 'outside', match: [{ uri: { prefix: '/other' } }], ...to },
          { ...to },
        ],
      });
    assert.deepEqual(
      httpOf(yaml).map(({ name, match, timeoutMs }) => [name, match.map(({ uri }) => uri?.value), timeoutMs]),
      [
        ['first', ['/first'], undefined],
        ['items-one', ['/items/1'], 1000],
        ['items', ['/items'], 3000],
        ['last', [], undefined],
      ],
    );
    const { routes } = compiledFor(snapshotOf(SURROUNDINGS + yaml), 'default/client');
    const host = routes.find(({ name }) => name === '80')?.virtualHosts.find(({ name }) => name.startsWith('shop'));
    assert.deepEqual(
      host?.routes.map(({ name }) => name),
      ['first', 'items-one', 'items', 'last'],
    );
  });

  it('that are not there, or not for this namespace, leave requests to the routes that follow', () => {
    const root = virtual('root', { hosts: ['shop'], http: [{ delegate: { name: 'items' } }, { name: 'last', ...to }] });
    assert.deepEqual(
      httpOf(root).map(({ name }) => name),
      ['last'],
    );
    const hidden = virtual('items', { exportTo: ['elsewhere'], http: [{ name: 'hidden', ...to }] });
    assert.deepEqual(
      httpOf(root + hidden).map(({ name }) => name),
      ['last'],
    );
  });

  it("have what a change of them makes, and keep what others' changes leave", () => {
    const snapshot = snapshotOf(SURROUNDINGS + virtual('root', { hosts: ['shop'], http: [{ name: 'a', ...to }] }));
    assert.equal(virtualServices(snapshot), virtualServices({ ...snapshot, number: 2 }));
  });
});

interface Row {
  readonly root?: unknown;
  readonly delegate?: readonly object[];
  readonly expected?: readonly object[];
}

function merged(matches: boolean, row: Row): void {
  const routed = (route: object) => ('route' in route ? route : { ...route, ...to });
  const root = matches ? { match: row.root } : (row.root ?? {});
  const leaves = matches ? [{ match: row.delegate }] : (row.delegate ?? []);
  const wanted = matches ? (row.expected === undefined ? [] : [{ match: row.expected }]) : (row.expected ?? []);
  const yaml =
    virtual('root', { hosts: ['shop'], http: [{ ...root, delegate: { name: 'leaf' } }] }) +
    virtual('leaf', { http: leaves.map(routed) }) +
    (wanted.length === 0 ? '' : virtual('wanted', { hosts: ['wanted.test'], http: wanted.map(routed) }));
  const expected = wanted.length === 0 ? [] : httpOf(yaml, 'wanted');
  assert.deepEqual(httpOf(yaml), expected);
}

table<Row>('TestMergeHttpRoutes', (row) => merged(false, row));
table<Row>('TestMergeHTTPMatchRequests', (row) => merged(true, row));
