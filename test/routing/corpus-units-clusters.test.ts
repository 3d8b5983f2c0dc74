// What DestinationRules and Sidecars make of clusters: which there are, how their servers are found, and their limits.
import assert from 'node:assert/strict';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { stringify } from 'yaml';
import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  Cluster_LbPolicy,
} from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { HttpConnectionManagerSchema } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { HttpProtocolOptionsSchema } from '#gen/gatehouse/envoy/v3/http_protocol_options_pb.js';
import { visibleFrom } from '../../routing/visibility.ts';
import { claimPath } from '../../routing/routes/claim.ts';
import { readMeshConfig } from '../../mesh/admit/mesh-config.ts';
import { Field } from '../../mesh/admit/field.ts';
import { nodeOf } from '../../mesh/admit/node.ts';
import { Report } from '../../mesh/admit/report.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { table, type Written, yamlOf } from './corpus-units.ts';

const deployment = (name: string, labels: object = {}, ports: readonly object[] = []): string =>
  `---\n${stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'default' }, spec: { template: { metadata: { labels }, spec: { containers: [{ name: 'app', ports }] } } } })}`;
const ENTRIES: Readonly<Record<string, string>> = { STRICT_DNS: 'DNS', LOGICAL_DNS: 'DNS_ROUND_ROBIN', ORIGINAL_DST: 'NONE' };

/** A service of which the caller's proxy finds the servers in this way. */
function found(host: string, type: string, labels: object = {}): string {
  const resolution = ENTRIES[type];
  if (resolution === undefined)
    return `---\n${stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'foo', namespace: 'default' }, spec: { selector: { app: 'foo' }, ports: [{ name: 'http-default', port: 8080 }] } })}`;
  const endpoints = resolution === 'NONE' ? {} : { endpoints: [{ address: host, labels }] };
  return yamlOf('ServiceEntry', {
    metadata: { name: 'foo' },
    spec: { hosts: [host], ports: [{ number: 8080, name: 'default', protocol: 'HTTP' }], resolution, ...endpoints },
  });
}

const serversOf = ({ loadAssignment }: Cluster): number =>
  (loadAssignment?.endpoints ?? []).reduce((sum, { lbEndpoints }) => sum + lbEndpoints.length, 0);
const typeOf = ({ clusterDiscoveryType }: Cluster): string | undefined =>
  clusterDiscoveryType.case === 'type' ? Cluster_DiscoveryType[clusterDiscoveryType.value] : undefined;

interface Threshold {
  readonly maxRetries?: number;
  readonly retryBudget?: { readonly budgetPercent: { readonly value: number }; readonly minRetryConcurrency: number };
}
function meshConfigOf(written: object): MeshConfig {
  const report = new Report('', undefined);
  const read = readMeshConfig(new Field(nodeOf(written, 1), '', 1, report));
  assert.deepEqual(report.diagnostics, []);
  return read;
}

interface SubsetRow {
  readonly destRule: { readonly host: string };
  readonly service: { readonly Attributes: { readonly Labels?: object } };
  readonly clusterMode: string;
  readonly meshConfig?: object;
  readonly cluster: { readonly type: string };
  readonly expectedSubsetClusters?: readonly {
    readonly name: string;
    readonly type?: string;
    readonly circuitBreakers?: { readonly thresholds: readonly Threshold[] };
  }[];
}
table<SubsetRow>(
  'TestApplyDestinationRule',
  ({ destRule, service, cluster, expectedSubsetClusters = [] }) => {
    const spec = JSON.parse(
      JSON.stringify(destRule).replaceAll('"mode":"MUTUAL"', '"mode":"MUTUAL","credentialName":"row"'),
    ) as object;
    const yaml =
      deployment('caller') +
      found(destRule.host, cluster.type, service.Attributes.Labels) +
      yamlOf('DestinationRule', { metadata: { name: 'row' }, spec });
    const { clusters } = compiledFor(snapshotOf(yaml), 'default/caller');
    const subsets = clusters.filter(({ name }) => /^outbound\|8080\|[^|]+\|foo\./.test(name));
    // A subset in which there is nobody has no cluster in Istio, and one without servers here: both answer 503.
    const dns = cluster.type === 'STRICT_DNS' || cluster.type === 'LOGICAL_DNS';
    const there = subsets.filter((one) => !dns || serversOf(one) > 0);
    assert.deepEqual(
      there.map((one) => ({ name: one.name, type: typeOf(one) })),
      expectedSubsetClusters.map(({ name, type }) => ({ name, type })),
    );
    for (const { name, circuitBreakers } of expectedSubsetClusters) {
      const [wanted] = circuitBreakers?.thresholds ?? [];
      const [made] = there.find((one) => one.name === name)?.circuitBreakers?.thresholds ?? [];
      if (wanted?.maxRetries !== undefined) assert.equal(made?.maxRetries, wanted.maxRetries);
      assert.equal(made?.retryBudget === undefined, wanted?.retryBudget === undefined);
      // What is left out is Envoy's default: 20 percent, 3.
      if (wanted?.retryBudget !== undefined) {
        assert.equal(made?.retryBudget?.budgetPercent?.value ?? 20, wanted.retryBudget.budgetPercent.value);
        assert.equal(made?.retryBudget?.minRetryConcurrency ?? 3, wanted.retryBudget.minRetryConcurrency);
      }
    }
    if (JSON.stringify(destRule).includes('"trafficPolicy":{"loadBalancer":{"simple":"PASSTHROUGH"}}}') && subsets.length === 0)
      assert.deepEqual(clusters.filter(({ name }) => name.includes('||foo.')).map(typeOf), ['ORIGINAL_DST']);
  },
  ({ clusterMode, meshConfig }) => clusterMode === 'outbound' && !('outboundClusterStatName' in (meshConfig ?? {})),
);

/** Clusters by server name are those behind AUTO_PASSTHROUGH. */
table<SubsetRow>(
  'TestApplyDestinationRule',
  ({ destRule, service, cluster, expectedSubsetClusters = [] }) => {
    const yaml =
      deployment('ingress', { istio: 'ingressgateway' }) +
      found(destRule.host, cluster.type, service.Attributes.Labels) +
      yamlOf('DestinationRule', { metadata: { name: 'row' }, spec: destRule }) +
      yamlOf('Gateway', {
        metadata: { name: 'row' },
        spec: {
          selector: { istio: 'ingressgateway' },
          servers: [{ port: { number: 15443, name: 'tls', protocol: 'TLS' }, hosts: ['*'], tls: { mode: 'AUTO_PASSTHROUGH' } }],
        },
      });
    const { clusters } = compiledFor(snapshotOf(yaml), 'gateway:default/ingress');
    const subsets = clusters.filter(({ name }) => /^outbound_\.8080_\.[^_]+_\./.test(name));
    assert.deepEqual(
      subsets.map((one) => ({ name: one.name, type: typeOf(one) })),
      expectedSubsetClusters.map(({ name, type }) => ({ name, type })),
    );
  },
  ({ clusterMode }) => clusterMode === 'sni-dnat',
);

interface DefaultRow {
  readonly discovery?: string;
  readonly expectedCluster?: {
    readonly circuitBreakers: { readonly thresholds: readonly Readonly<Record<string, number>>[] };
    readonly connectTimeout: string;
    readonly lbPolicy: keyof typeof Cluster_LbPolicy;
    readonly type: string;
  };
}
/** A cluster of which no rule says anything. Which clusters there are follows from services here; names and statistics are Istio's own. */
table<DefaultRow>(
  'TestBuildDefaultCluster',
  ({ expectedCluster: wanted }) => {
    const { clusters } = compiledFor(snapshotOf(deployment('caller') + found('foo.bar.com', 'EDS')), 'default/caller');
    const made = clusters.find(({ name }) => name.includes('||foo.'));
    assert.ok(made !== undefined && wanted !== undefined);
    assert.equal(typeOf(made), wanted.type);
    assert.equal(made.lbPolicy, Cluster_LbPolicy[wanted.lbPolicy]);
    assert.equal(`${made.connectTimeout?.seconds}s`, wanted.connectTimeout.replace(/\.\d+s$/, 's'));
    assert.equal(made.commonLbConfig?.healthyPanicThreshold?.value, 0);
    const config = made.edsClusterConfig?.edsConfig;
    assert.equal(config?.configSourceSpecifier.case, 'ads');
    for (const [limit, most] of Object.entries(wanted.circuitBreakers.thresholds[0] ?? {}))
      assert.equal(Object.entries(made.circuitBreakers?.thresholds[0] ?? {}).find(([name]) => name === limit)?.[1], most, limit);
  },
  ({ discovery }) => discovery === 'EDS',
);

interface FamilyRow {
  readonly proxy: { readonly IPAddresses: readonly string[] };
  readonly expectedFamily: keyof typeof Cluster_DnsLookupFamily;
  readonly connectStrategy?: number;
}
table<FamilyRow>(
  'TestClusterDnsLookupFamily',
  ({ proxy: { IPAddresses }, expectedFamily }) => {
    const [podIP, ...others] = IPAddresses;
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'caller', namespace: 'default' },
      spec: { containers: [{ name: 'app' }] },
      status: { phase: 'Running', podIP, podIPs: [podIP, ...others].map((ip) => ({ ip })) },
    };
    const yaml = `---\n${stringify(pod)}${found('foo.example.com', 'STRICT_DNS')}`;
    const { clusters } = compiledFor(snapshotOf(yaml), 'default/caller');
    const made = clusters.find(({ name }) => name.includes('||foo.'));
    assert.equal(made?.dnsLookupFamily, Cluster_DnsLookupFamily[expectedFamily]);
  },
  // A strategy of connecting that MeshConfig does not have here.
  ({ connectStrategy = 0 }) => connectStrategy === 0,
);

interface BalanceRow {
  readonly lbSettings?: object;
  readonly discoveryType: string;
  readonly outlierDetection?: boolean;
  readonly port?: { readonly Protocol: string };
  readonly expectedLbPolicy: keyof typeof Cluster_LbPolicy;
}
table<BalanceRow>(
  'TestApplyLoadBalancer',
  ({ lbSettings = {}, discoveryType, outlierDetection, expectedLbPolicy }) => {
    const host = discoveryType === 'EDS' ? 'foo.default.svc.cluster.local' : 'foo.example.com';
    const trafficPolicy = {
      loadBalancer: lbSettings,
      ...(outlierDetection === true ? { outlierDetection: { interval: '1s' } } : {}),
    };
    const yaml =
      deployment('caller') +
      found(host, discoveryType) +
      yamlOf('DestinationRule', { metadata: { name: 'row' }, spec: { host, trafficPolicy } });
    const made = compiledFor(snapshotOf(yaml), 'default/caller').clusters.find(({ name }) => name.includes('||foo.'));
    assert.equal(made?.lbPolicy, Cluster_LbPolicy[expectedLbPolicy]);
    if (expectedLbPolicy === 'CLUSTER_PROVIDED') assert.equal(made?.loadAssignment, undefined);
  },
  ({ port }) => port?.Protocol !== 'Redis',
);

interface Pool {
  readonly http?: Readonly<Record<string, number | string>>;
  readonly tcp?: Readonly<Record<string, unknown>>;
}

/** The limits of a cluster in the words of a connection pool, as far as `wanted` speaks of them. */
function sameLimits(cluster: Cluster | undefined, wanted: Pool | null): void {
  assert.ok(cluster !== undefined);
  const [threshold] = cluster.circuitBreakers?.thresholds ?? [];
  const [packed] = Object.values(cluster.typedExtensionProtocolOptions);
  const common = packed === undefined ? undefined : anyUnpack(packed, HttpProtocolOptionsSchema)?.commonHttpProtocolOptions;
  const unlimited = 4_294_967_295;
  assert.equal(threshold?.maxConnections, wanted?.tcp?.['maxConnections'] ?? unlimited);
  assert.equal(threshold?.maxPendingRequests, wanted?.http?.['http1MaxPendingRequests'] ?? unlimited);
  assert.equal(threshold?.maxRequests, wanted?.http?.['http2MaxRequests'] ?? unlimited);
  assert.equal(threshold?.maxRetries, wanted?.http?.['maxRetries'] ?? unlimited);
  assert.equal(common?.maxRequestsPerConnection, wanted?.http?.['maxRequestsPerConnection']);
  const text = (seconds: bigint | undefined) => (seconds === undefined ? undefined : `${seconds}s`);
  assert.equal(text(common?.maxConnectionDuration?.seconds), wanted?.tcp?.['maxConnectionDuration']);
  assert.equal(text(cluster.connectTimeout?.seconds), wanted?.tcp?.['connectTimeout'] ?? '10s');
  const alive = cluster.upstreamConnectionOptions?.tcpKeepalive;
  const said =
    alive === undefined
      ? undefined
      : {
          interval: `${alive.keepaliveInterval}s`,
          probes: alive.keepaliveProbes,
          time: `${alive.keepaliveTime}s`,
        };
  assert.deepEqual(said, wanted?.tcp?.['tcpKeepalive']);
}

interface SettingsRow {
  readonly destrule: { readonly host: string };
  readonly sidecar?: { readonly ingress: readonly { readonly port: { readonly protocol: string } }[] };
  readonly want: Readonly<Record<string, Pool | null>>;
}
/** The workload stands behind a Service of the rule's host, by ports 10001 and 10002. */
table<SettingsRow>('TestConnectionPoolSettings', ({ destrule, sidecar, want }) => {
  const ports = [10001, 10002].map((port) => ({ name: `http-${port}`, port, targetPort: port }));
  const said = sidecar?.ingress.map((one) =>
    one.port.protocol === 'UnsupportedProtocol' ? { ...one, port: { ...one.port, protocol: 'HTTP' } } : one,
  );
  const yaml =
    deployment('web', { app: 'web' }) +
    `---\n${stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' }, spec: { selector: { app: 'web' }, ports } })}` +
    (said === undefined
      ? ''
      : yamlOf('Sidecar', { metadata: { name: 'row' }, spec: { ingress: said, egress: [{ hosts: ['*/*'] }] } })) +
    yamlOf('DestinationRule', { metadata: { name: 'row' }, spec: { ...destrule, host: 'web' } });
  const { clusters } = compiledFor(snapshotOf(yaml), 'default/web');
  for (const [name, pool] of Object.entries(want)) {
    const ours = name.startsWith('outbound') ? 'outbound|10001||web.default.svc.cluster.local' : name;
    sameLimits(
      clusters.find((one) => one.name === ours),
      pool,
    );
  }
});

interface PortRow {
  readonly sidecar: { readonly ingress: readonly object[] };
  readonly want: Readonly<Record<string, Pool | null>>;
}
/** Ports that the Sidecar does not take have no cluster, whatever the row wants of them. */
table<PortRow>('TestInboundConnectionPoolForPort', ({ sidecar, want }) => {
  const egress = { egress: [{ hosts: ['*/*'] }] };
  const yaml = deployment('web') + yamlOf('Sidecar', { metadata: { name: 'row' }, spec: { ...sidecar, ...egress } });
  const { clusters } = compiledFor(snapshotOf(yaml), 'default/web');
  const made = clusters.filter(({ name }) => name.startsWith('inbound|'));
  assert.ok(made.length > 0);
  for (const one of made) sameLimits(one, want[one.name.split('|')[1] ?? ''] ?? null);
});

interface InboundRow {
  readonly configs?: readonly Written[];
  readonly services?: readonly {
    readonly Hostname: string;
    readonly Ports: readonly { readonly Name: string; readonly Port: number; readonly Protocol: string }[];
  }[];
  readonly instances?: readonly {
    readonly Endpoint: { readonly EndpointPort: number; readonly ServicePortName: string };
    readonly Service: { readonly Hostname: string };
  }[];
  readonly clusters: Readonly<Record<string, readonly string[] | null>>;
}
/** Ports of Services with an instance; where the application is called is another setting of Istio's, not here. */
table<InboundRow>(
  'TestInboundClusters',
  ({ services = [], instances = [], clusters }) => {
    const yaml = services.map(({ Hostname, Ports }) => {
      const name = Hostname.split('.')[0] ?? '';
      const ports = Ports.flatMap((port) => {
        const at = instances.find(
          ({ Endpoint, Service }) => Service.Hostname === Hostname && Endpoint.ServicePortName === port.Name,
        );
        return at === undefined ? [] : [{ name: `http-${port.Name}`, port: port.Port, targetPort: at.Endpoint.EndpointPort }];
      });
      return `---\n${stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' }, spec: { selector: { app: 'web' }, ports } })}`;
    });
    const made = compiledFor(snapshotOf(deployment('web', { app: 'web' }) + yaml.join('')), 'default/web').clusters;
    const names = made.map(({ name }) => name).filter((name) => name.startsWith('inbound|'));
    assert.deepEqual(names.sort(), Object.keys(clusters).sort());
  },
  ({ configs }) => configs === undefined,
);

interface ClaimRow {
  readonly name: string;
  readonly in?: object;
  readonly want?: { readonly filter: string; readonly path: readonly { readonly key: string }[] };
}
table<ClaimRow>('TestTranslateMetadataMatch', ({ name, in: match, want }) => {
  const wanted = want?.path.map(({ key }) => key);
  assert.deepEqual(claimPath(name), wanted?.slice(1));
  if (want === undefined || match === undefined) return;
  const yaml =
    deployment('ingress', { istio: 'ingressgateway' }) +
    found('foo', 'EDS') +
    yamlOf('Gateway', {
      metadata: { name: 'row' },
      spec: { selector: {}, servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }] },
    }) +
    yamlOf('VirtualService', {
      metadata: { name: 'row' },
      spec: {
        hosts: ['foo.test'],
        gateways: ['row'],
        http: [{ match: [{ headers: { [name]: match } }], route: [{ destination: { host: 'foo' } }] }],
      },
    });
  const { routes } = compiledFor(snapshotOf(yaml), 'gateway:default/ingress');
  const [route] = routes[0]?.virtualHosts[0]?.routes ?? [];
  const [made] = route?.match?.dynamicMetadata ?? [];
  assert.equal(made?.filter, want.filter);
  assert.deepEqual(
    made.path.map(({ segment }) => segment.value),
    wanted,
  );
  assert.equal(route?.match?.headers.length, 0);
});

interface MirrorRow {
  readonly want: {
    readonly cluster: string;
    readonly runtimeFraction: { readonly defaultValue: { readonly numerator: number } };
  };
}
table<MirrorRow>('TestTranslateRequestMirrorPolicy', ({ want }) => {
  const mirrored = [{ destination: { host: 'foo', port: { number: 8080 } } }];
  const yaml =
    deployment('caller') +
    found('foo', 'EDS') +
    yamlOf('VirtualService', {
      metadata: { name: 'row' },
      spec: { hosts: ['foo'], http: [{ route: mirrored, mirrors: mirrored }] },
    });
  const { routes } = compiledFor(snapshotOf(yaml), 'default/caller');
  const [action] = routes.flatMap(({ virtualHosts }) =>
    virtualHosts.flatMap((host) =>
      host.routes.flatMap(({ action: one }) =>
        one.case === 'route' && one.value.requestMirrorPolicies.length > 0 ? [one.value] : [],
      ),
    ),
  );
  const [policy] = action?.requestMirrorPolicies ?? [];
  assert.equal(policy?.cluster.startsWith('outbound|8080||foo.'), want.cluster.startsWith('outbound|8080||'));
  // Of a million, where the row counts in hundreds.
  assert.equal((policy?.runtimeFraction?.defaultValue?.numerator ?? 0) / 10_000, want.runtimeFraction.defaultValue.numerator);
  // The server tells copies by the suffix `-shadow` of the host.
  assert.equal(policy?.disableShadowHostSuffixAppend, false);
  assert.equal(policy?.traceSampled, false);
});

interface Labelled {
  readonly tags: Readonly<Record<string, string>>;
  readonly valid?: boolean;
}
table<Labelled>('TestInstanceValidate', ({ tags, valid = false }) => {
  const read = () =>
    snapshotOf(
      yamlOf('DestinationRule', { metadata: { name: 'row' }, spec: { host: 'foo', subsets: [{ name: 'v1', labels: tags }] } }),
    );
  if (valid) read();
  else assert.throws(read, assert.AssertionError);
});

interface Exported extends Written {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly exportTo?: readonly string[]; readonly hosts: readonly string[] };
}
table<Exported>('TestVirtualServiceWithExportTo', (row) => {
  const spec = { ...row.spec, http: [{ route: [{ destination: { host: 'foo' } }] }] };
  const [made] = snapshotOf(yamlOf('VirtualService', { ...row, spec })).virtualServices;
  assert.ok(made !== undefined);
  const home = row.metadata.namespace;
  const to = row.spec.exportTo ?? ['*'];
  for (const seenFrom of ['test1', 'test2', 'test3', 'ns1', 'zzz', 'random'])
    assert.equal(
      visibleFrom(made.exportTo, home, seenFrom),
      to.includes('*') || to.includes(seenFrom) || (to.includes('.') && home === seenFrom),
      seenFrom,
    );
});

interface InboundRetryRow {
  readonly expected: { readonly route: { readonly retryPolicy?: { readonly numRetries: number; readonly retryOn: string } } };
  readonly mesh?: { readonly defaultInboundHttpRetryPolicy?: object };
  readonly protocol: string;
}
table<InboundRetryRow>('TestInboundHTTPRoute', ({ expected, mesh, protocol }) => {
  const yaml =
    deployment('web', { app: 'web' }) +
    `---\n${stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' }, spec: { selector: { app: 'web' }, ports: [{ name: protocol.toLowerCase(), port: 80 }] } })}`;
  const read = meshConfigOf(mesh ?? {});
  const { listeners } = compiledFor(snapshotOf(yaml, read), 'default/web');
  const policies = listeners
    .flatMap(({ filterChains }) => filterChains.filter(({ name }) => name.startsWith('inbound_80_http')))
    .map(({ filters }) => {
      const config = filters.at(-1)?.configType;
      assert.ok(config?.case === 'typedConfig');
      const specifier = anyUnpack(config.value, HttpConnectionManagerSchema)?.routeSpecifier;
      assert.ok(specifier?.case === 'routeConfig');
      const [route] = specifier.value.virtualHosts[0]?.routes ?? [];
      return route?.action.case === 'route' ? route.action.value.retryPolicy : undefined;
    });
  assert.ok(policies.length > 0);
  for (const policy of policies)
    assert.deepEqual(
      policy === undefined ? undefined : { numRetries: policy.numRetries, retryOn: policy.retryOn },
      expected.route.retryPolicy,
    );
});
