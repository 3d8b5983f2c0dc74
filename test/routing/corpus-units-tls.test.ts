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
import { boundPorts, gatewaysOf } from '../../routing/gateway/servers.ts';
import { scopeOf } from '../../routing/scope.ts';
import { inboundSecurity } from '../../xds/resources/security.ts';
import { TestAuthority } from '../audit/envoy/certificates.ts';
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
/** Rows without a credential; those with one are below. All Gateways of a row are the proxy's. */
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

interface CredentialRow extends MergeRow {
  readonly proxy: { readonly VerifiedIdentity: { readonly ServiceAccount: string } };
  readonly verifiedCertNum?: number;
}
interface CredentialServer {
  readonly hosts: readonly string[];
  readonly port: { readonly name: string; readonly number: number };
  readonly tls: {
    readonly mode: string;
    readonly credentialName?: string;
    readonly credentialNames?: readonly string[];
    readonly caCertCredentialName?: string;
  };
}
const SCHEME = 'kubernetes-gateway://';
const { root } = await TestAuthority.create();
const referred = (uri: string) => {
  const [namespace, name] = uri.replace(SCHEME, '').split('/');
  return { name, namespace };
};
/**
 * Those names are what Istio makes of `certificateRefs` of the Gateway API, which is how they are written here; the namespace `allowed-ns`
 * grants the use of its Secrets. A server is opened only with a certificate that it may show. Who asks is a pod of the Gateway's own, or it has no
 * part of it: rows in which another service account asks are listed.
 */
table<CredentialRow>(
  'TestMergeGateways',
  ({ gwConfig, mergedServersNum, verifiedCertNum = 0 }) => {
    const [one] = gwConfig;
    const {
      name = '',
      namespace = '',
      ...more
    } = (one?.metadata ?? {}) as Readonly<Record<string, unknown>> as {
      readonly name?: string;
      readonly namespace?: string;
      readonly annotations?: Readonly<Record<string, string>>;
    };
    const parent = more.annotations?.['internal.istio.io/parent-namespace'];
    const [server] = ((one?.spec ?? { servers: [] }) as { readonly servers: readonly CredentialServer[] }).servers;
    assert.ok(server !== undefined);
    const { mode, credentialName, credentialNames = [], caCertCredentialName } = server.tls;
    const certificateRefs = [...(credentialName === undefined ? [] : [credentialName]), ...credentialNames].map(referred);
    const roots = mode === 'MUTUAL' ? [referred(caCertCredentialName ?? credentialName ?? '')] : [];
    const listener = {
      name: server.port.name,
      port: server.port.number,
      protocol: 'HTTPS',
      hostname: server.hosts[0],
      tls: { certificateRefs },
    };
    const group = 'gateway.networking.k8s.io';
    const object = (kind: string, home: string, called: string, spec: object, api = `${group}/v1`) =>
      `---\n${stringify({ apiVersion: api, kind, metadata: { name: called, namespace: home }, spec })}`;
    const home = parent ?? namespace;
    const owner = parent === undefined ? name : 'parent';
    const validation = { caCertificateRefs: roots.map((ref) => ({ group: '', kind: 'ConfigMap', ...ref })) };
    const yaml =
      object('Gateway', home, owner, {
        gatewayClassName: 'gatehouse',
        ...(parent === undefined ? {} : { allowedListeners: { namespaces: { from: 'All' } } }),
        listeners: parent === undefined ? [listener] : [{ name: 'other', port: 9, protocol: 'HTTP' }],
        ...(roots.length === 0 ? {} : { tls: { frontend: { default: { validation } } } }),
      }) +
      (parent === undefined
        ? ''
        : object('ListenerSet', namespace, name, { parentRef: { name: owner, namespace: home }, listeners: [listener] })) +
      object(
        'ReferenceGrant',
        'allowed-ns',
        'grant',
        {
          from: [
            { group, kind: 'Gateway', namespace },
            { group, kind: 'ListenerSet', namespace },
          ],
          to: ['Secret', 'ConfigMap'].map((kind) => ({ group: '', kind })),
        },
        `${group}/v1beta1`,
      ) +
      roots
        .map(
          ({ name: called, namespace: of }) =>
            `---\n${stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: called, namespace: of }, data: { 'ca.crt': root } })}`,
        )
        .join('') +
      `---\n${stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'pod', namespace: home, labels: { 'gateway.networking.k8s.io/gateway-name': owner } }, spec: { containers: [{ name: 'envoy' }] }, status: { podIP: '10.0.0.1', phase: 'Running' } })}`;
    const { listeners } = compiledFor(snapshotOf(yaml), `gateway:${home}/pod`);
    const chains = listeners.flatMap(({ filterChains }) => filterChains).filter(({ transportSocket }) => transportSocket);
    const used = chains.flatMap(({ transportSocket }) => {
      const config = transportSocket?.configType;
      const made = config?.case === 'typedConfig' ? anyUnpack(config.value, DownstreamTlsContextSchema) : undefined;
      const asked = made?.requireClientCertificate === true ? roots : [];
      return [...ofOurs(made?.commonTlsContext, /^$/).shows, ...asked];
    });
    assert.equal(used.length, verifiedCertNum);
    assert.equal(chains.length, verifiedCertNum === 0 ? 0 : mergedServersNum);
  },
  ({ gwConfig, proxy }) => JSON.stringify(gwConfig).includes(SCHEME) && proxy.VerifiedIdentity.ServiceAccount === 'sa',
);

interface StrictRow {
  readonly input: readonly { readonly gateway: Written }[];
  readonly expected: readonly string[];
}
/** A Gateway of the Gateway API without a service account is one whose pods somebody else made: those behind a Service that it names. */
table<StrictRow>('TestFilterStrictGatewayMerging', ({ input, expected }) => {
  const written = input.map(({ gateway: { metadata, spec } }) => {
    const { annotations = {} } = (metadata ?? {}) as { readonly annotations?: Readonly<Record<string, string>> };
    const semantic = annotations['internal.istio.io/gateway-semantics'] !== undefined;
    const made = semantic && annotations['internal.istio.io/service-account-name'] !== '';
    return { metadata, spec, semantic, made, key: `${metadata?.namespace}/${metadata?.name}` };
  });
  // The pod is that of the first Gateway that was made with pods, and selected by what the others select.
  const home = written.find(({ made }) => made)?.metadata?.namespace ?? 'ns-b';
  const labels = { istio: 'ingressgateway', 'gateway.networking.k8s.io/gateway-name': 'made' };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'pod', namespace: home, labels } };
  const yaml =
    `---\n${stringify({ ...pod, spec: { containers: [{ name: 'envoy' }] }, status: { podIP: '10.0.0.1', phase: 'Running' } })}` +
    written
      .filter(({ semantic }) => !semantic)
      .map(({ metadata, spec }) => yamlOf('Gateway', { ...(metadata === undefined ? {} : { metadata }), spec: certified(spec) }))
      .join('');
  const base = snapshotOf(yaml);
  // What the Gateway API makes of its objects stands in the rows as it is: theirs are the pods with its label, in whatever namespace.
  const others = written
    .filter(({ semantic }) => semantic)
    .map(({ metadata, spec, made }) => {
      const [gateway] = snapshotOf(
        yamlOf('Gateway', { ...(metadata === undefined ? {} : { metadata }), spec: certified(spec) }),
      ).gateways;
      assert.ok(gateway !== undefined);
      const selector = made ? { 'gateway.networking.k8s.io/gateway-name': 'made' } : { istio: 'ingressgateway' };
      return { ...gateway, selector, podNamespace: home };
    });
  const snapshot = { ...base, gateways: [...base.gateways, ...others] };
  const kept = gatewaysOf({ snapshot, proxy: proxyOf(snapshot, `gateway:${home}/pod`) });
  assert.deepEqual(kept.map(({ meta }) => `${meta.namespace}/${meta.name}`).sort(), expected.toSorted());
});
function certified(spec: object | undefined): object {
  return JSON.parse(JSON.stringify(spec).replaceAll(',"tls":{"mode":"SIMPLE"}', '')) as object;
}

interface OptionsRow {
  readonly server: Server;
  readonly node: { readonly Metadata: object };
  readonly proxyConfig?: {
    readonly gatewayTopology: { readonly numTrustedProxies?: number; readonly forwardClientCertDetails?: string };
  };
  readonly result: { readonly sniHosts?: readonly string[]; readonly httpOpts: { readonly connectionManager: object } };
}
table<OptionsRow>('TestCreateGatewayHTTPFilterChainOpts', ({ server, node, proxyConfig, result }) => {
  const trusted = proxyConfig?.gatewayTopology.numTrustedProxies;
  const [chain] = chainsOf(gateway(server) + ROUTED, trusted === undefined ? {} : { numTrustedProxies: trusted });
  assert.deepEqual(chain?.filterChainMatch?.serverNames ?? [], result.sniHosts ?? []);
  const config = chain?.filters.at(-1)?.configType;
  assert.ok(config?.case === 'typedConfig');
  const manager = anyUnpack(config.value, HttpConnectionManagerSchema);
  assert.equal(manager?.xffNumTrustedHops, trusted ?? 0);
  const { forwardClientCertDetails } = result.httpOpts.connectionManager as { readonly forwardClientCertDetails?: string };
  assert.equal(Forwarded[manager?.forwardClientCertDetails ?? 0], forwardClientCertDetails);
  // HTTP/1.0 is taken without being asked for.
  if ('HTTP10' in node.Metadata) assert.equal(manager?.httpProtocolOptions?.acceptHttp10, true);
});

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
