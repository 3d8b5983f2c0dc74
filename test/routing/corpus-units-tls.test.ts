// TLS of gateways and toward destinations: what is shown, who is checked against what, and by which parameters.
import assert from 'node:assert/strict';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { stringify } from 'yaml';
import type { Listener } from '#gen/envoy/config/listener/v3/listener_pb.js';
import type { FilterChain } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import {
  HttpConnectionManager_ForwardClientCertDetails as Forwarded,
  HttpConnectionManagerSchema,
} from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import {
  type CommonTlsContext,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { boundPorts } from '../../routing/gateway/servers.ts';
import { scopeOf } from '../../routing/scope.ts';
import { inboundSecurity } from '../../xds/resources/security.ts';
import { compiledFor, proxyOf, snapshotOf } from './compiled.ts';
import { table, type Written, yamlOf } from './corpus-units.ts';

const INGRESS = `---\n${stringify({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'ingress', namespace: 'default' },
  spec: { template: { metadata: { labels: { istio: 'ingressgateway' } }, spec: { containers: [{ name: 'envoy' }] } } },
})}`;

interface Names {
  readonly exact: string;
}
interface IstioValidation {
  readonly matchSubjectAltNames?: readonly Names[];
  readonly verifyCertificateSpki?: readonly string[];
  readonly verifyCertificateHash?: readonly string[];
  readonly crl?: { readonly filename: string };
}
interface IstioContext {
  readonly tlsCertificateSdsSecretConfigs?: readonly { readonly name: string }[];
  readonly alpnProtocols?: readonly string[];
  readonly validationContext?: IstioValidation;
  readonly combinedValidationContext?: {
    readonly defaultValidationContext: IstioValidation;
    readonly validationContextSdsSecretConfig: { readonly name: string };
  };
  readonly tlsParams?: {
    readonly ecdhCurves?: readonly string[];
    readonly cipherSuites?: readonly string[];
    readonly tlsMinimumProtocolVersion?: string;
  };
}

/** What a context demands, in words that both sides have. A relative path of a row stands for an absolute one. */
interface Demands {
  readonly shows: readonly string[];
  readonly roots: string | undefined;
  readonly names: readonly string[];
  readonly spki: readonly string[];
  readonly hash: readonly string[];
  readonly curves: readonly string[];
  readonly ciphers: readonly string[];
}

function ofIstio(context: IstioContext): Demands {
  const checked = context.combinedValidationContext?.defaultValidationContext ?? {};
  const roots = context.combinedValidationContext?.validationContextSdsSecretConfig.name;
  return {
    shows: (context.tlsCertificateSdsSecretConfigs ?? []).map(({ name }) => name),
    roots: checked.crl === undefined || roots === undefined ? roots : `${roots}~${checked.crl.filename}`,
    names: (checked.matchSubjectAltNames ?? []).map(({ exact }) => exact),
    spki: checked.verifyCertificateSpki ?? [],
    hash: checked.verifyCertificateHash ?? [],
    curves: context.tlsParams?.ecdhCurves ?? [],
    ciphers: context.tlsParams?.cipherSuites ?? [],
  };
}

function ofOurs(context: CommonTlsContext | undefined, anyName: RegExp): Demands {
  const validation = context?.validationContextType;
  const checked = validation?.case === 'combinedValidationContext' ? validation.value.defaultValidationContext : undefined;
  const names = (checked?.matchTypedSubjectAltNames ?? []).flatMap(({ matcher }) => matcher?.matchPattern.value ?? []);
  return {
    shows: (context?.tlsCertificateSdsSecretConfigs ?? []).map(({ name }) => name),
    roots: validation?.case === 'combinedValidationContext' ? validation.value.validationContextSdsSecretConfig?.name : undefined,
    // A name may stand in a certificate in several ways; whom the mesh lets in is said by name as well.
    names: [...new Set(names.map(String))].filter((name) => !anyName.test(name)),
    spki: checked?.verifyCertificateSpki ?? [],
    hash: checked?.verifyCertificateHash ?? [],
    curves: context?.tlsParams?.ecdhCurves ?? [],
    ciphers: context?.tlsParams?.cipherSuites ?? [],
  };
}

interface Server {
  readonly hosts?: readonly string[];
  readonly name?: string;
  readonly port: { readonly protocol: string; readonly name?: string; readonly number?: number };
  readonly tls?: object;
}

const gateway = (server: Server): string =>
  yamlOf('Gateway', {
    metadata: { name: 'row' },
    spec: { selector: {}, servers: [{ hosts: ['*'], ...server, port: { number: 443, name: 'port', ...server.port } }] },
  });
const ROUTED = yamlOf('VirtualService', {
  metadata: { name: 'row' },
  spec: {
    hosts: ['*'],
    gateways: ['row'],
    http: [{ route: [{ destination: { host: 'foo', port: { number: 80 } } }] }],
    tcp: [{ route: [{ destination: { host: 'foo', port: { number: 80 } } }] }],
  },
});

const chainsOf = (yaml: string, config: Parameters<typeof snapshotOf>[1] = {}): readonly FilterChain[] =>
  compiledFor(snapshotOf(INGRESS + yaml, config), 'gateway:default/ingress').listeners.flatMap(
    (one: Listener) => one.filterChains,
  );

interface ListenerRow {
  readonly server: Server;
  readonly mesh?: {
    readonly tlsDefaults?: { readonly cipherSuites?: readonly string[]; readonly ecdhCurves?: readonly string[] };
  };
  readonly result?: { readonly commonTlsContext: IstioContext; readonly requireClientCertificate?: boolean };
}
table<ListenerRow>('TestBuildGatewayListenerTlsContext', ({ server, mesh, result }) => {
  const defaults = mesh?.tlsDefaults;
  const tlsDefaults = { cipherSuites: defaults?.cipherSuites ?? [], ecdhCurves: defaults?.ecdhCurves ?? [] };
  const [chain] = chainsOf(gateway(server) + ROUTED, defaults === undefined ? {} : { tlsDefaults });
  const config = chain?.transportSocket?.configType;
  const made = config?.case === 'typedConfig' ? anyUnpack(config.value, DownstreamTlsContextSchema) : undefined;
  assert.equal(made === undefined, result === undefined);
  if (result === undefined || made === undefined) return;
  assert.equal(made.requireClientCertificate ?? false, result.requireClientCertificate ?? false);
  assert.deepEqual(ofOurs(made.commonTlsContext, /^spiffe:\/\/cluster\.local\/$/), ofIstio(result.commonTlsContext));
  // `istio-peer-exchange` names a filter of Istio's own.
  const offered = (result.commonTlsContext.alpnProtocols ?? []).filter((name) => name !== 'istio-peer-exchange');
  assert.deepEqual(made.commonTlsContext?.alpnProtocols, offered);
});

const CALLER = `---\n${stringify({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'caller', namespace: 'default' },
  spec: { template: { metadata: {}, spec: { containers: [{ name: 'app' }] } } },
})}`;

interface SkipRow {
  readonly destRule: object;
  readonly expectTLSContext: { readonly commonTlsContext: IstioContext; readonly sni?: string };
}
table<SkipRow>('TestInsecureSkipVerify', ({ destRule, expectTLSContext }) => {
  const service = { selector: { app: 'foo' }, ports: [{ name: 'http', port: 8080 }] };
  const yaml =
    CALLER +
    `---\n${stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'foo', namespace: 'default' }, spec: service })}` +
    yamlOf('DestinationRule', { metadata: { name: 'row' }, spec: destRule });
  const { clusters } = compiledFor(snapshotOf(yaml), 'default/caller');
  const config = clusters.find(({ name }) => name.includes('|foo.default'))?.transportSocket?.configType;
  assert.ok(config?.case === 'typedConfig');
  const made = anyUnpack(config.value, UpstreamTlsContextSchema);
  assert.equal(made?.sni, expectTLSContext.sni ?? '');
  assert.deepEqual(ofOurs(made?.commonTlsContext, /^$/), ofIstio(expectTLSContext.commonTlsContext));
});

/** The server of a row as it is admitted. Certificates that it leaves out are taken as given. */
function admitted(server: Server) {
  const ends = server.tls !== undefined && 'mode' in server.tls && !/PASSTHROUGH|ISTIO/.test(String(server.tls.mode));
  const tls = server.tls === undefined ? {} : { tls: ends ? { credentialName: 'row', ...server.tls } : server.tls };
  const [one] = snapshotOf(gateway({ ...server, ...tls })).gateways[0]?.servers ?? [];
  assert.ok(one !== undefined);
  return one;
}

interface KindRow {
  readonly server: Server;
  readonly expected?: boolean;
}
const HTTP = ['HTTP', 'HTTP2', 'GRPC'];
table<KindRow>('TestIsTLSServer', ({ server, expected = false }) => {
  assert.equal(admitted(server).tls.kind !== 'none', expected);
});
table<KindRow>('TestIsHTTPServer', ({ server, expected = false }) => {
  const { protocol, tls } = admitted(server);
  assert.equal(HTTP.includes(protocol) || (protocol === 'HTTPS' && tls.kind === 'terminate'), expected);
});
table<KindRow>('TestIsHTTPSServerWithTLSTermination', ({ server, expected = false }) => {
  const { protocol, tls } = admitted(server);
  assert.equal(protocol === 'HTTPS' && tls.kind === 'terminate', expected);
});
table<KindRow>('TestIsPassThroughServer', ({ server, expected = false }) => {
  assert.equal(admitted(server).tls.kind === 'passthrough', expected);
});
table<KindRow>('TestIsTCPServerWithTLSTermination', ({ server, expected = false }) => {
  const { protocol, tls } = admitted(server);
  assert.equal(protocol !== 'HTTPS' && !HTTP.includes(protocol) && tls.kind === 'terminate', expected);
});

interface MergeRow {
  readonly gwConfig: readonly Written[];
  readonly mergedServersNum: number;
  readonly serversForRouteNum: Readonly<Record<string, number>>;
}
/** Rows without a credential: whose Secrets a gateway may have is for the agent beside it. All Gateways of a row are the proxy's. */
table<MergeRow>(
  'TestMergeGateways',
  ({ gwConfig, mergedServersNum, serversForRouteNum }) => {
    const yaml = gwConfig.map((one, at) =>
      yamlOf('Gateway', {
        ...one,
        metadata: { ...one.metadata, creationTimestamp: `2026-01-01T00:00:0${at}Z` },
        spec: JSON.parse(
          JSON.stringify({ ...one.spec, selector: {} }).replaceAll('"mode":"SIMPLE"', '"mode":"SIMPLE","credentialName":"row"'),
        ) as object,
      }),
    );
    const snapshot = snapshotOf(INGRESS + yaml.join(''));
    const proxy = proxyOf(snapshot, 'gateway:default/ingress');
    const bound = boundPorts(scopeOf(snapshot, proxy, inboundSecurity(snapshot, proxy.workload)));
    assert.equal(bound.length, mergedServersNum);
    const routed = bound.flatMap(({ served }) => served.filter(({ server }) => HTTP.includes(server.protocol)));
    const wanted = Object.values(serversForRouteNum).reduce((sum, count) => sum + count, 0);
    assert.equal(routed.length, wanted);
  },
  ({ gwConfig }) => !JSON.stringify(gwConfig).includes('credentialName'),
);

interface OptionsRow {
  readonly server: Server;
  readonly node: { readonly Metadata: object };
  readonly proxyConfig?: {
    readonly gatewayTopology: { readonly numTrustedProxies?: number; readonly forwardClientCertDetails?: string };
  };
  readonly result: { readonly sniHosts?: readonly string[]; readonly httpOpts: { readonly connectionManager: object } };
}
table<OptionsRow>(
  'TestCreateGatewayHTTPFilterChainOpts',
  ({ server, proxyConfig, result }) => {
    const trusted = proxyConfig?.gatewayTopology.numTrustedProxies;
    const [chain] = chainsOf(gateway(server) + ROUTED, trusted === undefined ? {} : { numTrustedProxies: trusted });
    assert.deepEqual(chain?.filterChainMatch?.serverNames ?? [], result.sniHosts ?? []);
    const config = chain?.filters.at(-1)?.configType;
    assert.ok(config?.case === 'typedConfig');
    const manager = anyUnpack(config.value, HttpConnectionManagerSchema);
    assert.equal(manager?.xffNumTrustedHops, trusted ?? 0);
    const { forwardClientCertDetails } = result.httpOpts.connectionManager as { readonly forwardClientCertDetails?: string };
    assert.equal(Forwarded[manager?.forwardClientCertDetails ?? 0], forwardClientCertDetails);
  },
  ({ node }) => !('HTTP10' in node.Metadata),
);

interface FiltersRow {
  readonly configs: readonly Written[];
  readonly expectedListener: {
    readonly FilterChains: readonly { readonly NetworkFilters: readonly string[]; readonly HTTPFilters?: readonly string[] }[];
    readonly Filters?: readonly string[];
  };
}
const KINDS: Readonly<Record<string, RegExp>> = {
  'envoy.filters.network.tcp_proxy': /tcp_proxy/,
  'envoy.filters.network.http_connection_manager': /http_connection_manager/,
  'envoy.filters.network.rbac': /rbac/,
};
/** Rows about extensions are left out. Of the filters of a chain, those that decide what becomes of bytes are compared: others are Istio's own. */
table<FiltersRow>(
  'TestBuildGatewayListenersFilters',
  ({ configs, expectedListener }) => {
    const yaml = configs.map((one) => {
      const kind = one.kind ?? '';
      const api = (one.apiVersion ?? '').split('/')[0];
      const spec = JSON.parse(JSON.stringify(one.spec).replaceAll('"host":"', '"port":{"number":80},"host":"')) as {
        readonly servers?: readonly object[];
      };
      const servers = spec.servers?.map((server) => ({ hosts: ['*'], ...server }));
      const full = { ...one, spec: kind === 'Gateway' ? { selector: {}, servers } : spec };
      return yamlOf(kind, full).replace('networking.istio.io/v1', one.apiVersion ?? `${api}/v1`);
    });
    const topology = expectedListener.Filters?.includes('envoy.filters.listener.proxy_protocol') ?? false;
    const { listeners } = compiledFor(
      snapshotOf(INGRESS + yaml.join(''), topology ? { gatewayProxyProtocol: true } : {}),
      'gateway:default/ingress',
    );
    const [listener] = listeners;
    assert.ok(listener !== undefined);
    assert.equal(
      listener.listenerFilters.some(({ name }) => name === 'envoy.filters.listener.proxy_protocol'),
      topology,
    );
    assert.equal(listener.filterChains.length, expectedListener.FilterChains.length);
    for (const [at, { NetworkFilters }] of expectedListener.FilterChains.entries()) {
      const urls = listener.filterChains[at]?.filters.map(({ configType }) =>
        configType.case === 'typedConfig' ? configType.value.typeUrl : '',
      );
      for (const name of NetworkFilters.filter((one) => one in KINDS && one !== 'envoy.filters.network.rbac'))
        assert.ok(
          urls?.some((url) => KINDS[name]?.test(url)),
          `${name} of ${urls?.join()}`,
        );
    }
  },
  ({ configs }) => !JSON.stringify(configs).includes('TrafficExtension'),
);
