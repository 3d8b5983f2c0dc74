import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import type { Service } from '../../mesh/model/service.ts';
import type { Sidecar } from '../../mesh/model/sidecar.ts';
import { rulesFor } from '../../routing/clusters/rules.ts';
import { importsVirtualService, sidecarFor } from '../../routing/sidecar-scope.ts';
import { visibleFrom } from '../../routing/visibility.ts';
import { viewFrom } from '../../routing/view.ts';
import { corpusFile } from './corpora.ts';
import { compiledFor, proxyOf, snapshotOf } from './compiled.ts';
import {
  hostOf,
  type IstioService,
  metaOf,
  serviceOf,
  table,
  THEME,
  withServices,
  type Written,
  yamlOf,
} from './corpus-units.ts';

const shown = (services: readonly Service[]) =>
  services
    .map(
      ({ meta, hostname, ports }) =>
        `${meta.namespace}/${hostname} ${ports
          .map(({ port }) => port)
          .sort()
          .join()}`,
    )
    .sort();

const fixture = (name: string): readonly Written[] =>
  JSON.parse(corpusFile(THEME, 'fixtures', `${name}.json`) ?? '[]') as readonly Written[];

interface ScopeRow {
  readonly services?: readonly IstioService[];
  readonly virtualServices?: readonly Written[];
  readonly sidecarConfig?: Written;
  readonly expectedServices?: readonly IstioService[];
  readonly expectedDr?: Written;
}

/** The row's Sidecar for the row's proxy, whatever namespace it was written in. */
function sidecarOf(written: Written | undefined): readonly Sidecar[] {
  if (written === undefined) return [];
  const spec = { ...written.spec };
  const said = Object.keys(spec).length > 0 ? spec : { egress: [{ hosts: ['*/*'] }] };
  const yaml = yamlOf('Sidecar', { metadata: { name: 'row', namespace: 'mynamespace' }, spec: said });
  return snapshotOf(yaml).sidecars;
}

/** Rows that Istio does not validate: every host for the mesh, and a TLS route without its match. */
function admissible({ spec, ...rest }: Written): Written {
  const { tls, hosts, ...others } = spec as { readonly tls?: readonly object[]; readonly hosts: readonly string[] };
  const routes = tls?.map((route) => ({ match: [{ sniHosts: ['virtualbar.foo'] }], ...route }));
  const names = hosts.map((host) => (host === '*' ? 'every.test' : host));
  return {
    ...rest,
    spec: {
      ...others,
      hosts: routes === undefined ? names : ['virtualbar.foo'],
      ...(routes === undefined ? {} : { tls: routes }),
    },
  };
}

table<ScopeRow>('TestCreateSidecarScope', (row) => {
  const yaml = (row.virtualServices ?? []).map((one) => yamlOf('VirtualService', admissible(one))).join('');
  const snapshot = withServices(yaml, (row.services ?? []).map(serviceOf));
  const virtualServices = snapshot.virtualServices.map((one, at) => {
    const { hosts } = (row.virtualServices?.[at]?.spec ?? {}) as { readonly hosts: readonly string[] };
    // Istio's row names a VirtualService `virtualbar` as its Sidecar does: by the name that validation makes of it.
    return { ...one, hosts: hosts.map((host) => hostOf(host === 'virtualbar' ? 'virtualbar.foo' : host)) };
  });
  const [sidecar] = sidecarOf(row.sidecarConfig);
  const { services } = viewFrom({ ...snapshot, virtualServices }, 'mynamespace', sidecar);
  assert.deepEqual(shown(services), shown((row.expectedServices ?? []).map(serviceOf)));
  if (row.expectedDr === undefined) return;
  const rules = snapshotOf(
    fixture('TestCreateSidecarScope-destinationrules')
      .map((one, at) => yamlOf('DestinationRule', { ...one, metadata: { ...one.metadata, name: `${one.metadata?.name}-${at}` } }))
      .join(''),
  );
  const [service] = services;
  assert.ok(service !== undefined);
  const labels = (row.sidecarConfig?.metadata?.labels ?? {}) as Readonly<Record<string, string>>;
  const [rule] = rulesFor(rules, service, 'mynamespace', labels);
  assert.equal(rule?.meta.name.replace(/-\d$/, ''), row.expectedDr.metadata?.name?.toLowerCase());
});

interface HostsByNamespace {
  readonly [namespace: string]: { readonly allHosts?: readonly string[]; readonly excludedHosts?: readonly string[] };
}

function listenerOf(hosts: HostsByNamespace): Sidecar {
  const egress = Object.entries(hosts).flatMap(([namespace, { allHosts = [], excludedHosts = [] }]) => [
    ...allHosts.map((host) => ({ namespace, host: hostOf(host), excluded: false })),
    ...excludedHosts.map((host) => ({ namespace, host: hostOf(host), excluded: true })),
  ]);
  return {
    meta: metaOf('Sidecar', 'a', 'row'),
    workloadSelector: undefined,
    egress: [{ port: undefined, hosts: egress }],
    ingress: [],
    outboundTrafficPolicy: undefined,
  };
}

interface ListenerRow {
  readonly listenerHosts: HostsByNamespace;
  readonly services: readonly IstioService[];
  readonly namespace: string;
  readonly expected: readonly IstioService[];
}
table<ListenerRow>('TestIstioEgressListenerWrapper', ({ listenerHosts, services, namespace, expected }) => {
  const { services: found } = viewFrom(withServices('', services.map(serviceOf)), namespace, listenerOf(listenerHosts));
  // Parts of one service are one here, and two in Istio's list at this point.
  const parts = Map.groupBy(expected.map(serviceOf), ({ meta, hostname }) => `${meta.namespace}/${hostname}`);
  const whole = [...parts.values()].flatMap(([first, ...rest]) =>
    first === undefined ? [] : [{ ...first, ports: [first, ...rest].flatMap(({ ports }) => ports) }],
  );
  assert.deepEqual(shown(found), shown(whole));
});

interface ExclusionRow {
  readonly hostsByNS: HostsByNamespace;
  readonly expected: readonly string[];
}
/** The objects of Istio's test, which the rows name only. */
const EXCLUDED: Readonly<Record<string, { readonly namespace: string; readonly hosts: readonly string[] }>> = {
  'vs-a': { namespace: 'a', hosts: ['a.com'] },
  'vs-b': { namespace: 'b', hosts: ['b.com'] },
  'vs-multi': { namespace: 'a', hosts: ['keep.com', 'drop.com'] },
};
const WILD: typeof EXCLUDED = { 'vs-wild': { namespace: 'a', hosts: ['*.com'] } };
for (const [name, objects] of Object.entries({
  TestSelectVirtualServicesExclusion: EXCLUDED,
  TestSelectVirtualServicesExclusionWildcard: WILD,
})) {
  table<ExclusionRow>(name, ({ hostsByNS, expected }) => {
    const yaml = Object.entries(objects).map(([one, { namespace, hosts }]) =>
      yamlOf('VirtualService', {
        metadata: { name: one, namespace },
        spec: { hosts, http: [{ route: [{ destination: { host: 'web' } }] }] },
      }),
    );
    const sidecar = listenerOf(hostsByNS);
    const found = snapshotOf(yaml.join('')).virtualServices.filter((virtual) => importsVirtualService(sidecar, virtual));
    assert.deepEqual(found.map(({ meta }) => meta.name).sort(), expected.toSorted());
  });
}

interface PolicyRow {
  readonly meshConfig: { readonly outboundTrafficPolicy?: { readonly mode?: 'ALLOW_ANY' } };
  readonly sidecar?: Written;
  readonly outboundTrafficPolicy?: { readonly mode?: 'ALLOW_ANY' };
}
table<PolicyRow>('TestSidecarOutboundTrafficPolicy', ({ meshConfig, sidecar, outboundTrafficPolicy }) => {
  const [found] = sidecarOf(sidecar);
  const policy = meshConfig.outboundTrafficPolicy?.mode ?? 'REGISTRY_ONLY';
  const view = viewFrom(snapshotOf('', { outboundTrafficPolicy: policy }), 'mynamespace', found);
  assert.equal(view.outboundTrafficPolicy, outboundTrafficPolicy?.mode ?? 'REGISTRY_ONLY');
});

const ROUTE = { http: [{ route: [{ destination: { host: 'web' } }] }] };

interface IndexRow {
  readonly services: readonly IstioService[];
  readonly virtualServices: readonly Written[];
  readonly expectedIndex: Readonly<Record<string, { readonly Name: string }>>;
}
table<IndexRow>('TestComputeWildcardHostVirtualServiceIndex', ({ virtualServices, expectedIndex }) => {
  // The row has them in the order of a list that was sorted before: their times are not used.
  const yaml = virtualServices.map((one) => {
    const { creationTimestamp: _, ...metadata } = one.metadata ?? {};
    return yamlOf('VirtualService', { metadata, spec: { ...one.spec, ...ROUTE } });
  });
  const view = viewFrom(snapshotOf(yaml.join('')), 'default');
  const found = Object.keys(expectedIndex).map((host) => [host, view.virtualServiceFor(hostOf(host))?.meta.name]);
  assert.deepEqual(
    Object.fromEntries(found),
    Object.fromEntries(Object.entries(expectedIndex).map(([h, { Name }]) => [h, Name])),
  );
});

interface RuleRow {
  readonly host: string;
  readonly proxyNs: string;
  readonly serviceNs: string;
  readonly wantSubsets?: readonly string[];
}
table<RuleRow>('TestSetDestinationRuleWithExportTo', ({ host, proxyNs, serviceNs, wantSubsets = [] }) => {
  const yaml = fixture('TestSetDestinationRuleWithExportTo').map((one) =>
    yamlOf(
      'DestinationRule',
      JSON.parse(
        JSON.stringify(one)
          .replaceAll('newNS', 'newns')
          .replace(/"exportTo":\[[^\]]*"\*"[^\]]*\]/, '"exportTo":["*"]'),
      ) as Written,
    ),
  );
  const service = serviceOf({ Hostname: host, Attributes: { Namespace: serviceNs } });
  const rules = rulesFor(snapshotOf(yaml.join('')), service, proxyNs.toLowerCase(), {});
  assert.deepEqual(
    rules.flatMap(({ subsets }) => subsets.map(({ name }) => name)),
    wantSubsets,
  );
});

interface SelectedRow {
  readonly proxyNs: string;
  readonly serviceHostname: string;
  readonly serviceNs: string;
  readonly expectedDrName: readonly string[];
  readonly expectedNamespacedFrom: Readonly<Record<string, readonly { readonly Name: string }[]>>;
}
table<SelectedRow>('TestSetDestinationRuleWithWorkloadSelector', (row) => {
  const { proxyNs, serviceHostname, serviceNs, expectedDrName, expectedNamespacedFrom } = row;
  const yaml = fixture('TestSetDestinationRuleWithWorkloadSelector').map((one) => {
    // Istio's validation, too, refuses to export a rule that chooses its callers.
    const { exportTo: _, ...spec } = one.spec as { readonly exportTo?: unknown };
    return yamlOf('DestinationRule', { ...one, spec });
  });
  const service = serviceOf({ Hostname: serviceHostname, Attributes: { Namespace: serviceNs } });
  // The labels by which the rule of that name chooses its callers.
  const callers: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    nsRule1: { app: 'app1' },
    nsRule2: { app: 'app2' },
    nsRule4: {},
  };
  const found = (labels: Readonly<Record<string, string>>) =>
    rulesFor(snapshotOf(yaml.join('')), service, proxyNs, labels).map(({ meta }) => meta.name);
  for (const labels of Object.values(callers)) {
    const [first] = found(labels);
    assert.ok(expectedDrName.some((name) => name.toLowerCase() === first));
  }
  for (const [name, from] of Object.entries(expectedNamespacedFrom))
    assert.deepEqual(found(callers[name] ?? {}).sort(), from.map(({ Name }) => Name.toLowerCase()).sort());
});

interface VirtualRow {
  readonly gateway: string;
  readonly proxyNs: string;
  readonly wantHosts: readonly string[];
}
table<VirtualRow>('TestVirtualServiceWithDefaultExportTo', ({ gateway, proxyNs, wantHosts }) => {
  const namespaces = { kind: 'namespaces' as const, namespaces: ['.', 'ns1'] };
  const { defaults: said } = snapshotOf('').meshConfig;
  const defaults = {
    connectTimeoutMs: said?.connectTimeoutMs,
    tcpKeepalive: said?.tcpKeepalive,
    upgradeToHttp2: said?.upgradeToHttp2,
    retries: said?.retries,
    exportTo: { virtualService: namespaces, service: undefined, destinationRule: undefined },
  };
  const yaml = fixture('TestVirtualServiceWithDefaultExportTo').map((one) =>
    yamlOf('VirtualService', { ...one, spec: { ...one.spec, ...ROUTE } }),
  );
  const snapshot = snapshotOf(yaml.join(''), { defaults });
  const seen =
    gateway === 'mesh'
      ? viewFrom(snapshot, proxyNs).meshVirtualServices
      : snapshot.virtualServices.filter(
          ({ gateways, exportTo, meta }) => gateways.includes(gateway) && visibleFrom(exportTo, meta.namespace, proxyNs),
        );
  assert.deepEqual(seen.flatMap(({ hosts }) => hosts).sort(), wantHosts.toSorted());
});

interface ScopeOf {
  readonly proxy: { readonly ConfigNamespace: string; readonly Type: string };
  readonly labels: object;
  readonly sidecar: string;
}
table<ScopeOf>('TestSidecarScope', ({ proxy, labels, sidecar }) => {
  const egress = [{ hosts: ['*/*'] }];
  const yaml =
    yamlOf('Sidecar', {
      metadata: { name: 'foo', namespace: 'default' },
      spec: { egress, workloadSelector: { labels: { app: 'foo' } } },
    }) +
    yamlOf('Sidecar', { metadata: { name: 'global', namespace: 'istio-system' }, spec: { egress } }) +
    `---\n${stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'one', namespace: proxy.ConfigNamespace }, spec: { template: { metadata: { labels }, spec: { containers: [{ name: 'app' }] } } } })}`;
  const snapshot = snapshotOf(yaml);
  const kind = proxy.Type === 'router' ? 'gateway:' : '';
  const found = sidecarFor(snapshot, proxyOf(snapshot, `${kind}${proxy.ConfigNamespace}/one`));
  // A namespace without one of its own has the root namespace's, which Istio copies under the namespace's name.
  assert.equal(found?.meta.name ?? 'default-sidecar', sidecar.split('/')[1]);
});

/** An address that Istio's service has not: without one it would be headless. */
const UNNAMED = '9.9.9.11';

/** The registry of Istio's test: what its rows expect of it. */
const REGISTRY: readonly IstioService[] = [
  ['bookinfo.com', '', 'default', ['*'], [9999, 70]],
  ['test-private.com', '9.9.9.9', 'not-default', ['.'], [80, 70]],
  ['test-private-2.com', '9.9.9.10', 'not-default', ['.'], [60]],
  ['test.com', '8.8.8.8', 'not-default', ['*'], [8080]],
  ['test-headless.com', '', 'not-default', ['*'], [8888]],
  ['service-a.default.svc.cluster.local', UNNAMED, 'default', ['*'], [7777]],
].map(([host, address, namespace, to, ports]) => ({
  Hostname: String(host),
  DefaultAddress: String(address),
  Ports: (ports as readonly number[]).map((Port) => ({ Name: `http-${Port}`, Port, Protocol: 'HTTP' })),
  Attributes: { Namespace: String(namespace), ExportTo: Object.fromEntries((to as readonly string[]).map((one) => [one, {}])) },
}));

interface RouteRow {
  readonly routeName: string;
  readonly registryOnly?: boolean;
  readonly sidecarConfig?: Written;
  readonly virtualServiceConfigs?: readonly Written[];
  readonly expectedHosts: Readonly<Record<string, Readonly<Record<string, true>>>>;
}

/** A port whose protocol is not declared: its routes are those of the service's address. */
const sniffed = (one: IstioService): IstioService => ({
  ...one,
  Ports: (one.Ports ?? []).map((port) => ({ ...port, Protocol: 'Unsupported' })),
});

const CALLER = (namespace: string) =>
  `---\n${stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'caller', namespace }, spec: { template: { metadata: {}, spec: { containers: [{ name: 'app' }] } } } })}`;

function domainsOf(
  route: ReturnType<typeof compiledFor>['routes'][number] | undefined,
): Readonly<Record<string, readonly string[]>> {
  const found = (route?.virtualHosts ?? []).flatMap(({ name, domains }) => {
    const stands = name.replace(/ .*$/, '');
    return [[stands, domains.toSorted()] as const];
  });
  return Object.fromEntries(found);
}

table<RouteRow>(
  'TestSidecarOutboundHTTPRouteConfig',
  ({ routeName, registryOnly, sidecarConfig, virtualServiceConfigs = [], expectedHosts }) => {
    const yaml =
      CALLER('not-default') +
      (sidecarConfig === undefined ? '' : yamlOf('Sidecar', sidecarConfig)) +
      virtualServiceConfigs.map((one) => yamlOf('VirtualService', one)).join('');
    const snapshot = withServices(
      yaml,
      REGISTRY.map((one) => serviceOf(routeName.includes(':') ? sniffed(one) : one)),
      {
        outboundTrafficPolicy: registryOnly === true ? 'REGISTRY_ONLY' : 'ALLOW_ANY',
        clusterDomain: 'default.example.org',
      },
    );
    const { routes } = compiledFor(snapshot, 'not-default/caller');
    const route = routes.find(({ name }) => name === routeName);
    const wanted = Object.fromEntries(
      Object.entries(expectedHosts).map(([host, domains]) => [host, Object.keys(domains).sort()]),
    );
    // A port that nobody serves has no listener, so that it needs no routes: what is sent there is refused or passed on all the same.
    if (route === undefined && Object.keys(wanted).every((host) => host === 'block_all' || host === 'allow_any')) return;
    // That a host is also known by its last dot is Istio's for services alone.
    const found = domainsOf(route);
    const plain = Object.entries(found).map(([host, domains]) => [
      host,
      domains.filter(
        (one) => one !== UNNAMED && (wanted[host]?.some((name) => name.endsWith('.')) !== false || !one.endsWith('.')),
      ),
    ]);
    assert.deepEqual(Object.fromEntries(plain), wanted);
  },
);

interface DuplicateRow {
  readonly services: readonly IstioService[];
  readonly config?: readonly Written[];
  readonly expectedHosts: Readonly<Record<string, readonly string[]>>;
}
table<DuplicateRow>('TestSidecarOutboundHTTPRouteConfigWithDuplicateHosts', ({ services, config = [], expectedHosts }) => {
  const snapshot = withServices(
    CALLER('default') + config.map((one) => yamlOf('VirtualService', one)).join(''),
    services.map((one, at) => ({ ...serviceOf({ ...one, DefaultAddress: `10.0.0.${at + 1}` }, at) })),
    { outboundTrafficPolicy: 'ALLOW_ANY' },
  );
  const { routes } = compiledFor(snapshot, 'default/caller');
  const found = domainsOf(routes.find(({ name }) => name === '80'));
  const named = Object.entries(found).map(([host, domains]) => [
    host,
    domains.filter(
      (one) => !one.startsWith('10.') && (expectedHosts[host]?.some((w) => w.endsWith('.')) !== false || !one.endsWith('.')),
    ),
  ]);
  assert.deepEqual(
    Object.fromEntries(named),
    Object.fromEntries(Object.entries(expectedHosts).map(([host, domains]) => [host, domains.toSorted()])),
  );
});
