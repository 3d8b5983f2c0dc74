import assert from 'node:assert/strict';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { stringify } from 'yaml';
import { type Route, RouteSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { virtualServices } from '../../routing/delegates.ts';
import { isCatchAll } from '../../routing/routes/match.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { table, yamlOf } from './corpus-units.ts';

const virtual = (name: string, spec: object, namespace = 'default') =>
  yamlOf('VirtualService', { metadata: { name, namespace }, spec });
const to = { route: [{ destination: { host: 'shop' } }] };

table<{ readonly root: object; readonly leaf: object; readonly expected?: boolean }>(
  'TestHasConflict',
  ({ root, leaf, expected = false }) => {
    const match = (one: object) => (Object.keys(one).length === 0 ? {} : { match: [one] });
    const named = (one: object) => JSON.parse(JSON.stringify(one).replaceAll('"ingress-gateway"', '"default/ingress"')) as object;
    const yaml =
      virtual('root', {
        hosts: ['shop'],
        gateways: ['mesh', 'default/ingress'],
        http: [{ ...match(named(root)), delegate: { name: 'leaf' } }],
      }) + virtual('leaf', { http: [{ ...match(named(leaf)), ...to }] });
    const merged = virtualServices(snapshotOf(yaml)).find(({ meta }) => meta.name === 'root');
    assert.equal(merged?.http.length === 0, expected);
  },
);

table<{ readonly route: JsonValue; readonly want?: boolean }>('TestIsCatchAllRoute', ({ route, want = false }) => {
  // `exactMatch` of headers left Envoy's API; what it said is said by `stringMatch`.
  const text = JSON.stringify(route).replaceAll(/"exactMatch":("[^"]*")/g, '"stringMatch":{"exact":$1}');
  // `pathSeparatedPrefix: /` is none of Envoy's: it takes no last slash.
  const { match }: Route = fromJson(RouteSchema, JSON.parse(text.replaceAll('pathSeparatedPrefix', 'prefix')) as JsonValue);
  assert.ok(match !== undefined);
  assert.equal(isCatchAll(match), want);
});

interface SourceRow {
  readonly args: { readonly match: object; readonly namespace?: string };
  readonly want?: boolean;
}
for (const [name, kind] of [
  ['TestMatchTCP', 'tcp'],
  ['TestMatchTLS', 'tls'],
] as const) {
  table<SourceRow>(name, ({ args, want = false }) => {
    // Every proxy has a namespace here: where a row gives none, it is one that the row does not speak of.
    const namespace = args.namespace ?? 'default';
    const one = { ...args.match, ...(kind === 'tls' ? { sniHosts: ['shop.test'] } : {}) };
    const match = Object.keys(one).length === 0 ? {} : { match: [one] };
    const yaml =
      `---\n${stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'caller', namespace }, spec: { template: { metadata: {}, spec: { containers: [{ name: 'app' }] } } } })}` +
      yamlOf('ServiceEntry', {
        metadata: { name: 'shop' },
        spec: {
          hosts: ['shop.test'],
          addresses: ['10.1.1.1'],
          ports: [{ number: 443, name: kind, protocol: kind.toUpperCase() }],
          resolution: 'STATIC',
          endpoints: [{ address: '127.0.0.9' }],
        },
      }) +
      virtual('row', {
        hosts: ['shop.test'],
        [kind]: [{ ...match, route: [{ destination: { host: 'chosen.test', port: { number: 443 } } }] }],
      });
    const { listeners } = compiledFor(snapshotOf(yaml), `${namespace}/caller`);
    const chosen = listeners.some(({ filterChains }) =>
      filterChains.some(({ filters }) =>
        filters.some(
          ({ configType }) =>
            configType.case === 'typedConfig' && Buffer.from(configType.value.value).toString('latin1').includes('|chosen.test'),
        ),
      ),
    );
    assert.equal(chosen, want);
  });
}

table<{ readonly fault: object; readonly want: { readonly delay: { readonly fixedDelay: string } } }>(
  'TestTranslateFault',
  ({ fault, want }) => {
    const snapshot = snapshotOf(virtual('row', { hosts: ['shop'], http: [{ fault, ...to }] }));
    const [found] = snapshot.virtualServices[0]?.http ?? [];
    assert.equal(`${(found?.fault?.delay?.fixedMs ?? 0) / 1000}s`, want.delay.fixedDelay);
  },
);
