import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { stringify } from 'yaml';
import { covers, type Hostname, parseHostname, resolveHostname } from '../../mesh/model/hostname.ts';
import { selects } from '../../mesh/model/object.ts';
import { rulesFor } from '../../routing/clusters/rules.ts';
import { commonHosts } from '../../routing/gateway/hosts.ts';
import { serviceNames } from '../../routing/routes/domains.ts';
import { visibleFrom } from '../../routing/visibility.ts';
import { proxyOf, snapshotOf } from './compiled.ts';
import { hostOf, type IstioService, serviceOf, table, type Written, yamlOf } from './corpus-units.ts';

interface Pair {
  readonly a?: string;
  readonly b?: string;
  readonly out?: boolean;
}
const bothGiven = ({ a, b }: Pair) => a !== undefined && b !== undefined;

table<Pair>(
  'TestNameMatches',
  ({ a = '', b = '', out = false }) => {
    const [one, other] = [hostOf(a), hostOf(b)];
    assert.equal(covers(one, other) || (other.startsWith('*') && covers(other, one)), out);
  },
  bothGiven,
);
table<Pair>(
  'TestNameSubsetOf',
  ({ a = '', b = '', out = false }) => {
    assert.equal(covers(hostOf(b), hostOf(a)), out);
  },
  bothGiven,
);

const gateway = (hosts: readonly string[]) =>
  yamlOf('Gateway', {
    metadata: { name: 'gateway' },
    spec: { selector: {}, servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts }] },
  });
const virtual = (hosts: readonly string[], namespace = 'default') =>
  yamlOf('VirtualService', {
    metadata: { name: 'virtual', namespace },
    spec: { hosts, gateways: ['default/gateway'], http: [{ route: [{ destination: { host: 'web' } }] }] },
  });

/** What of a server's hosts is there for a VirtualService of a namespace. */
function common(server: readonly string[], hosts: readonly string[], namespace = 'default'): readonly Hostname[] {
  if (server.length === 0 || hosts.length === 0) return [];
  const snapshot = snapshotOf(gateway(server) + virtual(hosts, namespace));
  const [first] = snapshot.gateways;
  const [found] = snapshot.virtualServices;
  const [one] = first?.servers ?? [];
  assert.ok(first !== undefined && found !== undefined && one !== undefined);
  return commonHosts(one, first.meta.namespace, found);
}

interface Lists {
  readonly a: readonly string[];
  readonly b: readonly string[];
  readonly intersection: readonly string[];
}
table<Lists>('TestNamesIntersection', ({ a, b, intersection }) => {
  assert.deepEqual(common(a, b).toSorted(), intersection.toSorted());
});

table<{ readonly hosts: readonly string[]; readonly namespace: string; readonly want: readonly string[] }>(
  'TestNamesForNamespace',
  ({ hosts, namespace, want }) => {
    assert.deepEqual(common(hosts, ['*'], namespace).toSorted(), want.toSorted());
  },
);

/**
 * Which of several hosts comes first is seen where one object is chosen by it: of DestinationRules for all of them, the first in order that
 * covers a Service is its own. Hosts of which none covers another have no order here.
 */
const resolved = (name: string): Hostname => {
  const host = resolveHostname(name, 'default', 'cluster.local');
  assert.ok(host !== undefined);
  return host;
};
table<{ readonly in: readonly string[]; readonly want: readonly string[] }>(
  'TestNamesSortOrder',
  ({ in: given, want }) => {
    const snapshot = snapshotOf(
      given.map((host, at) => yamlOf('DestinationRule', { metadata: { name: `rule-${at}` }, spec: { host } })).join(''),
    );
    const order = want.map(resolved);
    for (const host of order) {
      const below = hostOf(host === '*' ? 'some.test' : host.replace('*', 'some.name'));
      const service = serviceOf({ Hostname: below, Attributes: { Namespace: 'default' } });
      const [chosen] = rulesFor(snapshot, service, 'default', {});
      assert.equal(
        chosen?.host,
        order.find((one) => covers(one, below)),
      );
    }
  },
  ({ in: given }) => given.some((host) => host.startsWith('*')),
);

interface Labelled {
  readonly left?: Readonly<Record<string, string>>;
  readonly right?: Readonly<Record<string, string>>;
  readonly expected?: { readonly subsetOf?: boolean; readonly selected?: boolean };
}
table<Labelled>('TestInstance', ({ left = {}, right = {}, expected = {} }) => {
  assert.equal(selects(left, right), expected.subsetOf ?? false);
});

interface Exported {
  readonly service: IstioService & { readonly Attributes?: { readonly Visibility?: string } };
  readonly pushContext: {
    readonly exportToDefaults?: { readonly service?: Readonly<Record<string, object>> };
    readonly Mesh?: object;
  };
  readonly expect?: boolean;
}
// `serviceEntryVisibility` is no setting here: what the rest of those rows says is said by the others.
table<Exported>(
  'TestIsServiceVisible',
  ({ service, pushContext, expect = false }) => {
    const said = service.Attributes?.ExportTo ?? pushContext.exportToDefaults?.service;
    const given = { ...service, Attributes: { ...service.Attributes, ...(said === undefined ? {} : { ExportTo: said }) } };
    const { exportTo, meta } = serviceOf(given);
    assert.equal(visibleFrom(exportTo, meta.namespace, 'foo'), expect);
  },
  ({ pushContext }) => pushContext.Mesh === undefined,
);

table<{ readonly gateway: string; readonly namespace: string; readonly resolved: string }>(
  'TestResolveGatewayName',
  ({ gateway: name, namespace, resolved }) => {
    const spec = { hosts: ['web.test'], gateways: [name], http: [{ route: [{ destination: { host: 'web' } }] }] };
    const { virtualServices } = snapshotOf(yamlOf('VirtualService', { metadata: { namespace, name: 'one' }, spec }));
    assert.deepEqual(virtualServices[0]?.gateways, [resolved]);
  },
);

/** What the fixture of Istio's test says: whose Service each is, and to whom it is exported. */
const EXPORTED: readonly (readonly [name: string, namespace: string, to: readonly string[] | undefined])[] = [
  ['svc1', 'test1', ['.', 'ns1']],
  ['svc2', 'test2', ['test1', 'ns1', 'test2']],
  ['svc3', 'test3', ['test1', '*', 'test2']],
  ['svc4', 'test4', undefined],
  ['svc4', 'test4', undefined],
  ['svc4', 'test4', undefined],
];
table<{ readonly proxyNs: string; readonly wantHosts: readonly string[] }>(
  'TestServiceWithExportTo',
  ({ proxyNs, wantHosts }) => {
    const seen = EXPORTED.filter(([name, namespace, to]) => {
      const annotations = to === undefined ? {} : { 'networking.istio.io/exportTo': to.join() };
      const spec = { ports: [{ port: 80 }] };
      const yaml = stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace, annotations }, spec });
      const [service] = snapshotOf(`---\n${yaml}`).services;
      assert.ok(service !== undefined);
      return visibleFrom(service.exportTo, namespace, proxyNs);
    });
    assert.deepEqual(
      seen.map(([name]) => name),
      wantHosts,
    );
  },
);

interface Named {
  readonly node: { readonly DNSDomain: string };
  readonly service: IstioService;
  readonly want: readonly string[];
}
/** A namespace is where names end here: other search domains than Kubernetes's own are not known. For addresses none plays a part. */
const inNamespace = ({ node, service }: Named) =>
  (/^[a-z]+\.svc\./.test(node.DNSDomain) || isIP(service.Hostname ?? '') !== 0) &&
  parseHostname(service.Hostname ?? '') !== undefined &&
  !('ClusterVIPs' in service);
table<Named>(
  'TestGenerateVirtualHostDomains',
  ({ node, service, want }) => {
    const searched = /\.svc\./.test(node.DNSDomain) ? node.DNSDomain : 'default.svc.cluster.local';
    const [namespace = '', , ...domain] = searched.split('.');
    const snapshot = snapshotOf(
      `---\n${stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'caller', namespace }, spec: { template: { metadata: {}, spec: { containers: [{ name: 'app' }] } } } })}`,
      { clusterDomain: domain.join('.') },
    );
    const one = { ...serviceOf(service), addresses: ['10.0.0.1'] };
    const names = serviceNames(one, proxyOf(snapshot, `${namespace}/caller`), domain.join('.'));
    assert.deepEqual(names.filter((name) => name !== '10.0.0.1').toSorted(), want.toSorted());
  },
  inNamespace,
);

interface RuleRow {
  readonly proxyNs: string;
  readonly wantHosts: readonly string[];
  readonly gateway: string;
}
export type { RuleRow, Written };
