import assert from 'node:assert/strict';
import { fromBinary, fromJson, type JsonObject } from '@bufbuild/protobuf';
import { stringify } from 'yaml';
import type { Cluster } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import type { Listener } from '#gen/envoy/config/listener/v3/listener_pb.js';
import { type Route, RouteSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { HttpProtocolOptionsSchema } from '#gen/gatehouse/envoy/v3/http_protocol_options_pb.js';
import { compiledFor, snapshotOf } from './compiled.ts';
import { table, type Written, yamlOf } from './corpus-units.ts';

const workload = (name: string, namespace: string, labels: object = {}, ports: readonly object[] = []) =>
  `---\n${stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace }, spec: { template: { metadata: { labels }, spec: { containers: [{ name: 'app', ports }] } } } })}`;
const service = (name: string, port: number, rest: object = {}) =>
  `---\n${stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' }, spec: { selector: { app: name }, ports: [{ name: 'http', port, ...rest }] } })}`;
const rule = (spec: object) => yamlOf('DestinationRule', { metadata: { name: 'row' }, spec });

const HOST = 'foo.default.svc.cluster.local';
const SHOP = { destination: { host: 'foo' } };
const INGRESS = workload('ingress', 'default', { istio: 'ingressgateway' });

function clusterOf(trafficPolicy: object, more: object = {}, config: Parameters<typeof snapshotOf>[1] = {}): Cluster {
  const yaml = workload('caller', 'default') + service('foo', 8080, more);
  const policy = Object.keys(trafficPolicy).length === 0 ? '' : rule({ host: HOST, trafficPolicy });
  const { clusters } = compiledFor(snapshotOf(yaml + policy, config), 'default/caller');
  const found = clusters.find(({ name }) => name === `outbound|8080||${HOST}`);
  assert.ok(found !== undefined);
  return found;
}

function httpOptions(cluster: Cluster) {
  const [packed] = Object.values(cluster.typedExtensionProtocolOptions);
  return packed === undefined ? undefined : fromBinary(HttpProtocolOptionsSchema, packed.value);
}

interface OutlierRow {
  readonly cfg?: object;
  readonly o?: Readonly<Record<string, number | boolean>>;
}
table<OutlierRow>('TestApplyOutlierDetection', ({ cfg, o }) => {
  const { outlierDetection: found } = clusterOf(cfg === undefined ? {} : { outlierDetection: cfg });
  assert.equal(found === undefined, o === undefined);
  for (const [name, value] of Object.entries(o ?? {})) {
    // Of the statistical kinds both are off; that of local errors is Envoy's only where errors are split.
    if (name === 'enforcingLocalOriginSuccessRate') continue;
    assert.equal(Object.entries(found ?? {}).find(([key]) => key === name)?.[1], value, name);
  }
});

interface PoolRow {
  readonly connectionPool: object;
  readonly retryBudget?: { readonly percent: number; readonly minRetryConcurrency: number };
  readonly expectedHTTPPOpt: { readonly commonHttpProtocolOptions: Readonly<Record<string, string | number>> };
}
table<PoolRow>('TestApplyConnectionPool', ({ connectionPool, retryBudget, expectedHTTPPOpt }) => {
  // The row begins with options that some other part of Istio made: only what the pool itself says is compared.
  const said = { ...(connectionPool as { readonly http?: object; readonly tcp?: object }) };
  const policy = { connectionPool: said, ...(retryBudget === undefined ? {} : { retryBudget }) };
  const cluster = clusterOf(policy);
  const common = httpOptions(cluster)?.commonHttpProtocolOptions;
  const wanted = expectedHTTPPOpt.commonHttpProtocolOptions;
  const seconds = (name: 'idleTimeout' | 'maxConnectionDuration') => `${common?.[name]?.seconds ?? 0n}s`;
  if ('idleTimeout' in (said.http ?? {}) || 'idleTimeout' in (said.tcp ?? {}))
    assert.equal(seconds('idleTimeout'), wanted['idleTimeout']);
  if ('maxConnectionDuration' in (said.tcp ?? {}))
    assert.equal(seconds('maxConnectionDuration'), wanted['maxConnectionDuration']);
  if ('maxRequestsPerConnection' in (said.http ?? {}))
    assert.equal(common?.maxRequestsPerConnection, wanted['maxRequestsPerConnection']);
  const [threshold] = cluster.circuitBreakers?.thresholds ?? [];
  assert.equal(threshold?.maxConnections, 4294967295);
  assert.equal(threshold?.retryBudget?.budgetPercent?.value, retryBudget?.percent);
});

interface UpgradeRow {
  readonly mesh: { readonly h2UpgradePolicy?: 'UPGRADE' };
  readonly connectionPool: { readonly http: object };
  readonly port: { readonly Protocol: string };
  readonly upgrade?: boolean;
}
/** `UnsupportedProtocol` is that of a port that declares none. */
table<UpgradeRow>('TestShouldH2Upgrade', ({ mesh, connectionPool, port, upgrade = false }) => {
  const { defaults: _, ...config } = snapshotOf('').meshConfig;
  const defaults = {
    connectTimeoutMs: undefined,
    tcpKeepalive: undefined,
    upgradeToHttp2: mesh.h2UpgradePolicy === 'UPGRADE',
    retries: undefined,
    exportTo: { service: undefined, virtualService: undefined, destinationRule: undefined },
  };
  const cluster = clusterOf(
    Object.keys(connectionPool.http).length === 0 ? {} : { connectionPool },
    port.Protocol === 'HTTP' ? { appProtocol: 'http' } : { name: 'sniffed' },
    { ...config, defaults },
  );
  const spoken = httpOptions(cluster)?.upstreamProtocolOptions;
  const http2 = spoken?.case === 'explicitHttpConfig' && spoken.value.protocolConfig.case === 'http2ProtocolOptions';
  assert.equal(http2, upgrade);
});

interface InboundRow {
  readonly configs?: readonly Written[];
  readonly clusters: Readonly<Record<string, readonly string[] | null>>;
}
/** The name of a route configuration says the port, the server and its Gateway. */
interface RouteNameRow {
  readonly args: { readonly name: string };
  readonly wantPortNumber: number;
  readonly wantPortName?: string;
  readonly wantGateway?: string;
}
table<RouteNameRow>('TestParseGatewayRDSRouteName', ({ args, wantPortNumber, wantPortName, wantGateway = 'default/gateway' }) => {
  const [namespace = '', name = ''] = wantGateway.split('/');
  const secure = wantPortName !== undefined;
  const server = {
    hosts: ['*'],
    port: { number: wantPortNumber, name: wantPortName ?? 'http', protocol: secure ? 'HTTPS' : 'HTTP' },
    ...(secure ? { tls: { mode: 'SIMPLE', credentialName: 'row' } } : {}),
  };
  const yaml =
    INGRESS +
    yamlOf('Gateway', { metadata: { name, namespace }, spec: { selector: {}, servers: [server] } }) +
    yamlOf('VirtualService', {
      metadata: { name: 'row' },
      spec: { hosts: ['row.test'], gateways: [wantGateway], http: [{ route: [SHOP] }] },
    });
  const { routes } = compiledFor(snapshotOf(yaml), 'gateway:default/ingress');
  assert.deepEqual(
    routes.map((one) => one.name),
    [args.name],
  );
});

/** Where the row says that there is an application, it is asked at its own address: captured, at the loopback. */
table<InboundRow>(
  'TestInboundClusters',
  ({ configs = [], clusters }) => {
    const yaml = workload('caller', 'default') + configs.map((one) => yamlOf('Sidecar', one)).join('');
    const snapshot = snapshotOf(yaml);
    const compiled = compiledFor(snapshot, 'default/caller');
    const own = snapshot.workloads[0]?.instances[0]?.address ?? '';
    const found = compiled.clusters.flatMap(({ name, loadAssignment }) => {
      if (!name.startsWith('inbound|')) return [];
      const hosts = (loadAssignment?.endpoints ?? []).flatMap(({ lbEndpoints }) =>
        lbEndpoints.map(({ hostIdentifier }) => {
          const to = hostIdentifier.case === 'endpoint' ? hostIdentifier.value.address?.address : undefined;
          if (to?.case === 'pipe') return to.value.path;
          if (to?.case !== 'socketAddress') return to?.case;
          const port = to.value.portSpecifier.case === 'portValue' ? to.value.portSpecifier.value : 0;
          return `${to.value.address === own ? '1.2.3.4' : to.value.address}:${port}`;
        }),
      );
      return [[name, hosts] as const];
    });
    assert.deepEqual(Object.fromEntries(found), clusters);
  },
  ({ configs }) => configs !== undefined,
);

function routesOf(
  http: object | readonly object[],
  config: Parameters<typeof snapshotOf>[1] = {},
  namespace = 'default',
): readonly Route[] {
  const yaml =
    workload('caller', namespace) +
    service('foo', 80) +
    yamlOf('VirtualService', { metadata: { name: 'row' }, spec: { hosts: ['foo'], http: [http].flat() } });
  const { routes } = compiledFor(snapshotOf(yaml, config), `${namespace}/caller`);
  return routes.find(({ name }) => name === '80')?.virtualHosts.find(({ name }) => name.startsWith('foo'))?.routes ?? [];
}

const only = (routes: readonly Route[]) => {
  const [first] = routes;
  assert.equal(first?.action.case, 'route');
  return first.action.value;
};

interface Fraction {
  readonly defaultValue: { readonly numerator: number };
}
interface MirrorRow {
  readonly route: { readonly mirrorPercent?: number; readonly mirrorPercentage?: object };
  readonly want?: Fraction;
}
const share = (routes: readonly Route[]): number | undefined =>
  only(routes).requestMirrorPolicies[0]?.runtimeFraction?.defaultValue?.numerator;
table<MirrorRow>('TestMirrorPercent', ({ route, want }) => {
  const said = { ...route, mirror: { host: 'foo' } };
  assert.equal(share(routesOf({ ...said, route: [SHOP] })), want?.defaultValue.numerator);
});
table<{ readonly policy: { readonly percentage?: object }; readonly want?: Fraction }>(
  'TestMirrorPercentByPolicy',
  ({ policy, want }) => {
    const mirrors = [{ ...policy, destination: { host: 'foo' } }];
    assert.equal(share(routesOf({ mirrors, route: [SHOP] })), want?.defaultValue.numerator);
  },
);

interface SourceRow {
  readonly args: { readonly match: object; readonly proxyNamespace?: string; readonly namespace?: string };
  readonly want?: boolean;
}
/** Every proxy has a namespace here: where a row gives none, it is one that the row does not speak of. */
table<SourceRow>('TestSourceMatchHTTP', ({ args, want = false }) => {
  const match = Object.keys(args.match).length === 0 ? [] : [args.match];
  const routes = routesOf({ ...(match.length > 0 ? { match } : {}), route: [SHOP] }, {}, args.proxyNamespace ?? args.namespace);
  assert.equal(routes.length > 0, want);
});

/** Without one that takes everything, routes stay as they were written. */
table<{ readonly in: readonly JsonObject[]; readonly expected: readonly JsonObject[] }>('TestSortVHostRoutes', (row) => {
  const virtual = (routes: readonly JsonObject[]) =>
    routes.map((one) => {
      const { match } = fromJson(RouteSchema, one);
      const path = match?.pathSpecifier;
      const uri = path?.case === 'path' ? { exact: path.value } : path?.case === 'prefix' ? { prefix: path.value } : undefined;
      // `*` alone is no regular expression of RE2.
      const regex = path?.case === 'safeRegex' ? { regex: path.value.regex.replace(/^\*/, '.*') } : undefined;
      const headers = match?.headers.map(({ name }) => [name, { exact: 'bar' }]) ?? [];
      return { uri: uri ?? regex, ...(headers.length === 0 ? {} : { headers: Object.fromEntries(headers) as object }) };
    });
  const made = routesOf(virtual(row.in).map((one) => ({ match: [one], route: [SHOP] })));
  const wanted = routesOf(virtual(row.expected).map((one) => ({ match: [one], route: [SHOP] })));
  assert.equal(made.length, row.in.length);
  assert.deepEqual(
    made.map(({ match }) => match),
    wanted.map(({ match }) => match),
  );
});

interface ServersRow {
  readonly configs?: readonly Written[];
  readonly gateways: readonly Written[];
  readonly virtualServices: readonly Written[];
  readonly routeName: string;
  readonly redirect?: boolean;
  readonly expectedVirtualHosts: Readonly<Record<string, readonly string[]>>;
  readonly expectedHTTPRoutes: Readonly<Record<string, number>>;
}

table<ServersRow>(
  'TestGatewayHTTPRouteConfig',
  ({ gateways, virtualServices, routeName, expectedVirtualHosts, expectedHTTPRoutes }) => {
    const yaml =
      INGRESS +
      gateways
        .map((one) =>
          yamlOf(
            'Gateway',
            JSON.parse(JSON.stringify(one).replaceAll('"mode":"SIMPLE"', '"mode":"SIMPLE","credentialName":"row"')) as Written,
          ),
        )
        .join('') +
      virtualServices
        .map((one, at) =>
          yamlOf('VirtualService', { ...one, metadata: { ...one.metadata, name: `${one.metadata?.name}-${at}` } }),
        )
        .join('');
    const { routes } = compiledFor(snapshotOf(yaml), 'gateway:default/ingress');
    const hosts = routes.find(({ name }) => name === routeName)?.virtualHosts ?? [];
    // A host that nobody claims is answered with 404 by a gateway without a virtual host for it.
    const wanted = Object.entries(expectedVirtualHosts).filter(([name]) => !name.startsWith('blackhole'));
    assert.deepEqual(Object.fromEntries(hosts.map(({ name, domains }) => [name, domains])), Object.fromEntries(wanted));
    // Routes after one that takes everything are left out: they take nothing.
    for (const { name, routes: found } of hosts) assert.equal(found.length > 0, (expectedHTTPRoutes[name] ?? 0) > 0, name);
  },
);

interface ListenersRow {
  readonly gateways: readonly Written[];
  readonly node: { readonly ServiceTargets?: readonly object[]; readonly Metadata?: { readonly UnprivilegedPod?: string } };
  readonly expectedListeners: readonly string[];
}
const nameOf = ({ address }: Listener): string => {
  const to = address?.address;
  if (to?.case !== 'socketAddress' || to.value.portSpecifier.case !== 'portValue') return '';
  return `${to.value.address}_${to.value.portSpecifier.value}`;
};
table<ListenersRow>('TestBuildGatewayListeners', ({ gateways, node, expectedListeners }) => {
  const servers = gateways.map((one) => {
    const spec = one.spec as {
      readonly servers: readonly { readonly hosts?: readonly string[]; readonly port: object; readonly tls?: object }[];
    };
    const named = spec.servers.map((server, at) => ({
      hosts: ['*'],
      ...server,
      port: { ...server.port, name: `port-${at}` },
      ...(server.tls === undefined
        ? {}
        : { tls: { mode: 'PASSTHROUGH', ...server.tls, ...('mode' in server.tls ? { credentialName: 'cert' } : {}) } }),
    }));
    return yamlOf('Gateway', { ...one, spec: { selector: { istio: 'ingressgateway' }, servers: named } });
  });
  const mapped =
    node.ServiceTargets === undefined
      ? ''
      : `---\n${stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'ingress', namespace: 'default' }, spec: { selector: { istio: 'ingressgateway' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] } })}`;
  // TCP and TLS servers are opened where a VirtualService says where to.
  const routed = gateways.map(({ metadata }, at) => {
    const to = [{ destination: { host: 'foo', port: { number: 80 } } }];
    return yamlOf('VirtualService', {
      metadata: { name: `v-${at}` },
      spec: {
        hosts: ['*'],
        gateways: [`${metadata?.namespace}/${metadata?.name}`],
        http: [{ route: to }],
        tcp: [{ route: to }],
        tls: [{ match: [{ sniHosts: ['*'] }], route: to }],
      },
    });
  });
  const { listeners } = compiledFor(snapshotOf(INGRESS + mapped + servers.join('') + routed.join('')), 'gateway:default/ingress');
  assert.deepEqual(listeners.map(nameOf).sort(), expectedListeners.toSorted());
});

interface TunnelRow {
  readonly destinationRule: { readonly host: string };
  readonly routeDestinations: readonly object[];
  readonly expectedTunnelingConfig?: { readonly hostname: string };
}
table<TunnelRow>(
  'TestBuildOutboundNetworkFiltersTunnelingConfig',
  ({ destinationRule, routeDestinations, expectedTunnelingConfig }) => {
    const entry = (name: string, host: string, number: number, address: string) =>
      yamlOf('ServiceEntry', {
        metadata: { name },
        spec: {
          hosts: [host],
          addresses: [address],
          ports: [{ number, name: 'tcp', protocol: 'TCP' }],
          resolution: 'STATIC',
          endpoints: [{ address: '127.0.0.9' }],
        },
      });
    const yaml =
      workload('caller', 'default') +
      entry('proxy', 'tunnel-proxy.com', 3128, '10.1.1.1') +
      entry('target', 'target.test', 8443, '10.1.1.2') +
      rule(destinationRule) +
      yamlOf('VirtualService', {
        metadata: { name: 'row' },
        spec: { hosts: ['target.test'], tcp: [{ route: routeDestinations }] },
      });
    const { listeners } = compiledFor(snapshotOf(yaml), 'default/caller');
    const texts = listeners.flatMap(({ filterChains }) =>
      filterChains.flatMap(({ filters }) =>
        filters.flatMap(({ configType }) =>
          configType.case === 'typedConfig' ? [Buffer.from(configType.value.value).toString('latin1')] : [],
        ),
      ),
    );
    const tunnelled = texts.filter((text) => text.includes(expectedTunnelingConfig?.hostname ?? 'example.com:8443'));
    assert.equal(tunnelled.length > 0, expectedTunnelingConfig !== undefined);
  },
);
