// A small mesh in which every object has several forms, so that a change is a slot and a form.
import type { MeshConfig } from '../../../mesh/model/mesh-config.ts';
import { GATEWAY_NAME_LABEL } from '../../../mesh/model/target-ref.ts';
import { DEFAULT_MESH_CONFIG } from '../../../mesh/admit/mesh-config.ts';

type Json = Readonly<Record<string, unknown>>;

const NETWORKING = 'networking.istio.io/v1';
const SECURITY = 'security.istio.io/v1';
const GATEWAY_API = 'gateway.networking.k8s.io/v1';

const made = (apiVersion: string, kind: string, at: string, spec: Json, meta: Json = {}): Json => {
  const [namespace = '', name = ''] = at.split('/');
  return { apiVersion, kind, metadata: { namespace, name, ...meta }, spec };
};

const port = (number: number, name = 'http', rest: Json = {}): Json => ({ port: number, name, ...rest });

const service = (at: string, spec: Json) => made('v1', 'Service', at, spec);
const entry = (at: string, spec: Json) => made(NETWORKING, 'ServiceEntry', at, spec);
const virtual = (at: string, spec: Json) => made(NETWORKING, 'VirtualService', at, spec);
const rule = (at: string, spec: Json) => made(NETWORKING, 'DestinationRule', at, spec);
const httpRoute = (parent: Json, one: Json) => made(GATEWAY_API, 'HTTPRoute', 'a/web', { parentRefs: [parent], rules: [one] });
const to = (host: string, rest: Json = {}): Json => ({ destination: { host, ...rest } });

function pod(
  at: string,
  ip: string,
  labels: Readonly<Record<string, string>>,
  how: {
    readonly explicit?: string;
    readonly other?: string;
    readonly ready?: boolean;
    readonly zone?: string;
    readonly hostname?: string;
  } = {},
): Json {
  const [, name = ''] = at.split('/');
  const made_ = made(
    'v1',
    'Pod',
    at,
    {
      serviceAccountName: labels['app'] ?? name,
      ...(how.hostname === undefined ? {} : { hostname: how.hostname, subdomain: 'db' }),
      containers: [
        { name: 'app', image: 'x', ports: [{ containerPort: 8000 }] },
        { name: 'istio-proxy', image: 'x' },
      ],
    },
    {
      labels: {
        'security.istio.io/tlsMode': 'istio',
        ...labels,
        ...(how.zone === undefined ? {} : { 'topology.kubernetes.io/zone': how.zone, 'istio-locality': `r1.${how.zone}.s` }),
      },
      annotations:
        how.explicit === undefined ? {} : { 'gatehouse.dev/capture': 'explicit', 'gatehouse.dev/app-address': how.explicit },
    },
  );
  return {
    ...made_,
    status: {
      phase: 'Running',
      podIP: ip,
      podIPs: [{ ip }, ...(how.other === undefined ? [] : [{ ip: how.other }])],
      conditions: [{ type: 'Ready', status: how.ready === false ? 'False' : 'True' }],
    },
  };
}

/** Each slot is in one of its forms, or empty. The first form is the one to begin with; undefined where the slot begins empty. */
export const SLOTS: readonly (readonly (Json | undefined)[])[] = [
  [
    service('a/web', { clusterIP: '10.0.0.1', selector: { app: 'web' }, ports: [port(80, 'http', { targetPort: 8000 })] }),
    service('a/web', {
      clusterIP: '10.0.0.1',
      selector: { app: 'web', version: 'v1' },
      ports: [port(80, 'http', { targetPort: 8000 })],
    }),
    service('a/web', {
      clusterIP: '10.0.0.1',
      selector: { app: 'web' },
      ports: [port(80, 'http', { targetPort: 8000 }), port(81, 'grpc')],
    }),
    service('a/web', { clusterIP: '10.0.0.9', selector: { app: 'web' }, ports: [port(80, 'http', { targetPort: 8000 })] }),
    service('a/web', { clusterIP: 'None', selector: { app: 'web' }, ports: [port(80, 'http', { targetPort: 8000 })] }),
  ],
  [
    service('b/web', { clusterIP: '10.0.0.2', selector: { app: 'api' }, ports: [port(80, 'http', { targetPort: 8000 })] }),
    service('b/web', { clusterIP: '10.0.0.2', selector: { app: 'api' }, ports: [port(80, 'web'), port(9000, 'tcp')] }),
  ],
  [
    service('b/api', { clusterIP: '10.0.0.3', selector: { app: 'api' }, ports: [port(8080, 'x', { targetPort: 8000 })] }),
    service('b/api', { clusterIP: 'None', selector: { app: 'api' }, ports: [port(8080, 'x', { targetPort: 8000 })] }),
  ],
  [
    service('b/db', { clusterIP: '10.0.0.4', selector: { app: 'db' }, ports: [port(5432, 'tcp', { targetPort: 8000 })] }),
    service('b/db', { clusterIP: 'None', selector: { app: 'db' }, ports: [port(5432, 'tcp', { targetPort: 8000 })] }),
    service('b/db', {
      clusterIP: 'None',
      ipFamilies: ['IPv6', 'IPv4'],
      selector: { app: 'db' },
      ports: [port(5432, 'tcp', { targetPort: 8000 })],
    }),
  ],
  [undefined, service('c/secure', { clusterIP: '10.0.0.5', selector: { app: 'db' }, ports: [port(443, 'https')] })],
  [
    entry('a/out', {
      hosts: ['out.test'],
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      endpoints: [{ address: '1.1.1.1' }, { address: '1.1.1.2' }],
    }),
    entry('a/out', {
      hosts: ['out.test'],
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      endpoints: [{ address: '1.1.1.1' }, { address: '1.1.1.3', weight: 3 }],
    }),
    entry('a/out', {
      hosts: ['out.test'],
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      endpoints: [
        { address: '1.1.1.1', locality: 'r1/z1' },
        { address: '1.1.1.2', locality: 'r1/z2' },
      ],
    }),
    entry('a/out', {
      hosts: ['out.test'],
      exportTo: ['.'],
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      endpoints: [{ address: '1.1.1.1' }],
    }),
    entry('a/out', {
      hosts: ['out.test', 'web'],
      resolution: 'DNS',
      ports: [
        { number: 80, name: 'http', protocol: 'HTTP' },
        { number: 443, name: 'tls', protocol: 'TLS' },
      ],
    }),
  ],
  [
    undefined,
    entry('b/out', {
      hosts: ['out.test'],
      resolution: 'STATIC',
      ports: [{ number: 8080, name: 'http', protocol: 'HTTP' }],
      endpoints: [{ address: '2.1.1.1' }],
    }),
    entry('b/out', {
      hosts: ['*.wild.test'],
      resolution: 'NONE',
      ports: [
        { number: 443, name: 'tls', protocol: 'TLS' },
        { number: 80, name: 'http', protocol: 'HTTP' },
      ],
    }),
    entry('b/out', {
      hosts: ['*.found.test'],
      resolution: 'DYNAMIC_DNS',
      ports: [
        { number: 80, name: 'http', protocol: 'HTTP' },
        { number: 443, name: 'tls', protocol: 'TLS' },
      ],
    }),
    entry('b/out', {
      hosts: ['picked.test'],
      resolution: 'STATIC',
      workloadSelector: { labels: { app: 'web' } },
      ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: 8000 }],
    }),
    entry('b/out', {
      hosts: ['picked.test'],
      resolution: 'DNS',
      workloadSelector: { labels: { app: 'web' } },
      ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: 8000 }],
    }),
    entry('b/out', {
      hosts: ['bytes.test'],
      addresses: ['10.9.0.0/16'],
      resolution: 'STATIC',
      ports: [{ number: 7000, name: 'tcp', protocol: 'TCP' }],
      endpoints: [{ address: '2.1.1.1' }],
    }),
  ],
  [
    undefined,
    service('c/alias', { type: 'ExternalName', externalName: 'web.a.svc.cluster.local', ports: [port(80)] }),
    service('c/alias', { type: 'ExternalName', externalName: 'api.b.svc.cluster.local', ports: [port(8080)] }),
    service('c/alias', { type: 'ExternalName', externalName: 'else.test', ports: [port(80)] }),
  ],
  ...['v1', 'v2'].map((version, at) => [
    pod(`a/web-${at}`, `10.1.0.${at + 1}`, { app: 'web', version }),
    pod(`a/web-${at}`, `10.1.1.${at + 1}`, { app: 'web', version }),
    pod(`a/web-${at}`, `10.1.0.${at + 1}`, { app: 'web', version }, { ready: false }),
    pod(`a/web-${at}`, `10.1.0.${at + 1}`, { app: 'web', version: 'v3' }, { zone: `z${at}` }),
    pod(`a/web-${at}`, `10.1.0.${at + 1}`, { app: 'api', version }),
    pod(`a/web-${at}`, `10.1.0.${at + 1}`, { app: 'web', version }, { other: `fd00::${at + 1}` }),
    pod(`a/web-${at}`, `fd00::${at + 1}`, { app: 'web', version }),
  ]),
  [
    pod('a/open-0', '10.1.0.20', { app: 'web', version: 'v2' }, { explicit: '127.1.0.2' }),
    pod('a/open-0', '10.1.0.20', { app: 'open' }, { explicit: '127.1.0.2', zone: 'z1' }),
    pod('a/open-0', '10.1.0.20', { app: 'open', 'gatehouse.dev/automatic-scope': 'disabled' }, { explicit: '127.1.0.2' }),
  ],
  [pod('b/api-0', '10.1.0.30', { app: 'api' }), pod('b/api-0', '10.1.0.31', { app: 'api', version: 'v1' }, { zone: 'z1' })],
  [pod('b/api-1', '10.1.0.32', { app: 'api' }, { explicit: '127.1.0.3' })],
  [
    pod('b/db-0', '10.1.0.40', { app: 'db' }),
    pod('b/db-0', '10.1.0.41', { app: 'db' }),
    pod('b/db-0', '10.1.0.41', { app: 'db' }, { hostname: 'first' }),
  ],
  [
    pod('c/gate-0', '10.1.0.50', { app: 'gate', istio: 'gateway', [GATEWAY_NAME_LABEL]: 'edge' }),
    pod('c/gate-0', '10.1.0.50', { app: 'gate', istio: 'other', [GATEWAY_NAME_LABEL]: 'edge' }),
    pod('c/gate-0', '10.1.0.50', { app: 'gate', istio: 'gateway' }),
  ],
  [
    undefined,
    made(GATEWAY_API, 'Gateway', 'c/edge', {
      gatewayClassName: 'gatehouse',
      listeners: [{ name: 'http', port: 8088, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'All' } } }],
    }),
    made(GATEWAY_API, 'Gateway', 'c/edge', {
      gatewayClassName: 'gatehouse',
      listeners: [{ name: 'http', port: 8088, protocol: 'HTTP', hostname: '*.test' }],
    }),
  ],
  [
    undefined,
    httpRoute({ name: 'edge', namespace: 'c' }, { backendRefs: [{ name: 'web', port: 80 }] }),
    httpRoute(
      { name: 'edge', namespace: 'c' },
      { backendRefs: [{ name: 'web', port: 80 }], sessionPersistence: { sessionName: 'stick' } },
    ),
    httpRoute({ group: '', kind: 'Service', name: 'web' }, { backendRefs: [{ name: 'web', port: 81 }] }),
  ],
  [
    undefined,
    made(
      'networking.k8s.io/v1',
      'Ingress',
      'a/web',
      {
        rules: [
          {
            http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { name: 'grpc' } } } }] },
          },
        ],
      },
      { annotations: { 'kubernetes.io/ingress.class': 'istio' } },
    ),
  ],
  [
    virtual('a/web', {
      hosts: ['web'],
      http: [
        {
          route: [
            { ...to('web'), weight: 90 },
            { ...to('web.b.svc.cluster.local'), weight: 10 },
          ],
        },
      ],
    }),
    virtual('a/web', {
      hosts: ['web'],
      http: [
        {
          route: [
            { ...to('web'), weight: 50 },
            { ...to('out.test'), weight: 50 },
          ],
        },
      ],
    }),
    virtual('a/web', {
      hosts: ['web'],
      http: [
        { match: [{ sourceLabels: { version: 'v1' } }], route: [to('web', { subset: 'v1' })] },
        { route: [to('web', { subset: 'v2' })] },
      ],
    }),
    virtual('a/web', {
      hosts: ['web'],
      http: [{ match: [{ sourceNamespace: 'b' }], route: [to('web', { subset: 'v1' })] }, { route: [to('web')] }],
    }),
    virtual('a/web', { hosts: ['web', 'shop.test'], gateways: ['mesh', 'c/gate'], http: [{ route: [to('web')] }] }),
    virtual('a/web', { hosts: ['web'], exportTo: ['.'], http: [{ route: [to('web')], timeout: '3s' }] }),
    virtual('a/web', {
      hosts: ['web'],
      http: [{ match: [{ uri: { prefix: '/d' } }], delegate: { name: 'leaf', namespace: 'b' } }, { route: [to('web')] }],
    }),
    virtual('a/web', { hosts: ['web.b'], http: [{ route: [to('web')] }] }),
  ],
  [
    undefined,
    virtual('b/leaf', { http: [{ route: [to('api', { port: { number: 8080 } })] }] }),
    virtual('b/leaf', { http: [{ match: [{ uri: { prefix: '/d/e' } }], route: [to('out.test')] }] }),
    virtual('b/leaf', { hosts: ['alias.c.svc.cluster.local'], http: [{ route: [to('alias.c.svc.cluster.local')] }] }),
  ],
  [
    undefined,
    virtual('b/wide', { hosts: ['*.b.svc.cluster.local'], http: [{ route: [to('web', { port: { number: 80 } })] }] }),
    virtual('b/wide', { hosts: ['*.b.svc.cluster.local'], http: [{ route: [to('api', { port: { number: 8080 } })] }] }),
    virtual('b/wide', { hosts: ['alone.test', 'web'], http: [{ route: [to('web')] }] }),
    virtual('b/wide', { hosts: ['alone.test', 'web'], http: [{ route: [to('api', { port: { number: 8080 } })] }] }),
    virtual('b/wide', { hosts: ['db'], tcp: [{ route: [to('db')] }] }),
    virtual('b/wide', {
      hosts: ['db'],
      tcp: [{ match: [{ sourceLabels: { app: 'web' } }], route: [to('api', { port: { number: 8080 } })] }, { route: [to('db')] }],
    }),
    virtual('b/wide', {
      hosts: ['secure.c.svc.cluster.local'],
      tls: [{ match: [{ port: 443, sniHosts: ['secure.c.svc.cluster.local'] }], route: [to('db', { port: { number: 5432 } })] }],
    }),
  ],
  [
    undefined,
    rule('a/web', {
      host: 'web',
      subsets: [
        { name: 'v1', labels: { version: 'v1' } },
        { name: 'v2', labels: { version: 'v2' } },
      ],
    }),
    rule('a/web', { host: 'web', subsets: [{ name: 'v1', labels: { version: 'v1' } }] }),
    rule('a/web', { host: 'web', trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: 'x-user' } } } }),
    rule('a/web', {
      host: 'web',
      workloadSelector: { matchLabels: { app: 'web' } },
      trafficPolicy: { tls: { mode: 'DISABLE' } },
    }),
    rule('a/web', { host: 'web', exportTo: ['.'], trafficPolicy: { connectionPool: { http: { http1MaxPendingRequests: 7 } } } }),
    rule('a/web', {
      host: '*.b.svc.cluster.local',
      trafficPolicy: {
        outlierDetection: { consecutive5xxErrors: 3 },
        loadBalancer: { localityLbSetting: { failoverPriority: ['version'] } },
      },
    }),
    rule('a/web', {
      host: 'web.b.svc.cluster.local',
      trafficPolicy: { loadBalancer: { consistentHash: { useSourceIp: true } } },
    }),
  ],
  [
    undefined,
    rule('b/out', { host: 'out.test', trafficPolicy: { outlierDetection: { consecutive5xxErrors: 3 } } }),
    rule('b/out', { host: 'out.test', trafficPolicy: { tls: { mode: 'SIMPLE' } } }),
    rule('b/out', { host: 'db', trafficPolicy: { connectionPool: { tcp: { idleTimeout: '9s' } } } }),
    rule('b/out', { host: '*', trafficPolicy: { connectionPool: { tcp: { maxConnections: 9 } } } }),
  ],
  [undefined, rule('istio-system/all', { host: '*.cluster.local', trafficPolicy: { loadBalancer: { simple: 'RANDOM' } } })],
  [
    undefined,
    made(NETWORKING, 'Sidecar', 'b/default', { egress: [{ hosts: ['./*', 'a/*'] }] }),
    made(NETWORKING, 'Sidecar', 'b/default', {
      egress: [{ port: { number: 80, protocol: 'HTTP', name: 'http' }, hosts: ['*/out.test'] }, { hosts: ['./*'] }],
    }),
    made(NETWORKING, 'Sidecar', 'b/default', {
      workloadSelector: { labels: { app: 'api' } },
      egress: [{ hosts: ['*/*'] }],
      outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' },
    }),
    made(NETWORKING, 'Sidecar', 'b/default', {
      ingress: [{ port: { number: 8000, protocol: 'HTTP', name: 'http' }, defaultEndpoint: '127.0.0.1:9999' }],
    }),
  ],
  [
    made(NETWORKING, 'Gateway', 'c/gate', {
      selector: { istio: 'gateway' },
      servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }],
    }),
    made(NETWORKING, 'Gateway', 'c/gate', {
      selector: { istio: 'gateway' },
      servers: [
        { port: { number: 8443, name: 'tls', protocol: 'TLS' }, tls: { mode: 'PASSTHROUGH' }, hosts: ['*'] },
        { port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['a/shop.test'] },
      ],
    }),
  ],
  [
    undefined,
    made(SECURITY, 'PeerAuthentication', 'a/default', { mtls: { mode: 'STRICT' } }),
    made(SECURITY, 'PeerAuthentication', 'a/default', {
      selector: { matchLabels: { app: 'web' } },
      portLevelMtls: { 8000: { mode: 'DISABLE' } },
    }),
  ],
  [
    undefined,
    made(SECURITY, 'PeerAuthentication', 'istio-system/default', { mtls: { mode: 'STRICT' } }),
    made(SECURITY, 'PeerAuthentication', 'istio-system/default', { mtls: { mode: 'DISABLE' } }),
  ],
  [
    undefined,
    made(SECURITY, 'AuthorizationPolicy', 'a/allow', {
      selector: { matchLabels: { app: 'web' } },
      rules: [{ from: [{ source: { namespaces: ['b'] } }] }],
    }),
    made(SECURITY, 'AuthorizationPolicy', 'a/allow', { action: 'DENY', rules: [{ to: [{ operation: { paths: ['/x'] } }] }] }),
  ],
  [
    undefined,
    made('gatehouse.dev/v1alpha1', 'RateLimit', 'a/web', {
      selector: { matchLabels: { app: 'web' } },
      limits: [{ name: 'all', requests: 5, per: '1s' }],
    }),
  ],
  [
    undefined,
    made('telemetry.istio.io/v1', 'Telemetry', 'b/logs', { accessLogging: [{ providers: [{ name: 'envoy' }] }] }),
    made('telemetry.istio.io/v1', 'Telemetry', 'b/logs', {
      selector: { matchLabels: { app: 'api' } },
      accessLogging: [{ providers: [{ name: 'envoy' }] }],
    }),
    made('telemetry.istio.io/v1', 'Telemetry', 'istio-system/logs', { accessLogging: [{ providers: [{ name: 'envoy' }] }] }),
  ],
  [
    undefined,
    made(NETWORKING, 'WorkloadEntry', 'a/vm', {
      address: '10.2.0.1',
      labels: { app: 'web', version: 'v2' },
      serviceAccount: 'vm',
    }),
    made(NETWORKING, 'WorkloadEntry', 'a/vm', {
      address: '10.2.0.1',
      labels: { app: 'web' },
      locality: 'r1/z2',
      serviceAccount: 'vm',
    }),
  ],
  [
    undefined,
    made('v1', 'Namespace', 'default/b', {}, { labels: { 'gatehouse.dev/automatic-scope': 'disabled' } }),
    made('v1', 'Namespace', 'default/b', {}, { labels: { 'gatehouse.dev/automatic-scope': 'enabled' } }),
  ],
  [
    undefined,
    virtual('b/copies', {
      hosts: ['api'],
      http: [{ route: [to('api', { port: { number: 8080 } })], mirrors: [to('out.test')] }],
    }),
    virtual('b/copies', { hosts: ['api'], http: [{ route: [to('api', { port: { number: 8080 } })] }] }),
  ],
  [undefined, virtual('b/wild', { hosts: ['*.b.svc.cluster.local'], http: [{ timeout: '9s', route: [to('web')] }] })],
  // What comes and goes without touching anything else.
  ...['a/plain', 'b/plain', 'b/more'].map((at, index) => [
    service(at, {
      clusterIP: `10.0.1.${index}`,
      selector: { app: 'api' },
      ports: [port(80, 'http', { targetPort: 8000 })],
    }),
    undefined,
    service(at, {
      clusterIP: `10.0.1.${index}`,
      selector: { app: 'api' },
      ports: [port(80, 'http', { targetPort: 8000 }), port(8080, 'http-more', { targetPort: 8000 })],
    }),
    service(at, { clusterIP: `10.0.1.${index}`, selector: { app: 'web' }, ports: [port(8081, 'grpc')] }),
  ]),
  [
    undefined,
    virtual('a/plain', { hosts: ['plain'], http: [{ timeout: '2s', route: [to('plain')] }] }),
    virtual('a/plain', { hosts: ['plain'], http: [{ timeout: '4s', route: [to('plain')] }] }),
    virtual('a/plain', { hosts: ['plain', 'more.b.svc.cluster.local'], http: [{ route: [to('plain.b.svc.cluster.local')] }] }),
    virtual('a/plain', { hosts: ['plain.b.svc.cluster.local'], exportTo: ['.'], http: [{ route: [to('plain')] }] }),
  ],
  [
    undefined,
    virtual('b/plain', { hosts: ['more'], http: [{ timeout: '3s', route: [to('more')] }] }),
    virtual('b/plain', { hosts: ['more'], http: [{ timeout: '5s', route: [to('web')] }] }),
    virtual('b/plain', { hosts: ['plain', 'nobody.test'], http: [{ route: [to('plain', { port: { number: 80 } })] }] }),
    virtual('b/plain', { hosts: ['plain'], gateways: ['mesh', 'c/edge'], tcp: [{ route: [to('more')] }] }),
  ],
];

export const MESH_CONFIGS: readonly MeshConfig[] = [
  DEFAULT_MESH_CONFIG,
  { ...DEFAULT_MESH_CONFIG, outboundTrafficPolicy: 'REGISTRY_ONLY' },
  { ...DEFAULT_MESH_CONFIG, enableAutoMtls: false },
  { ...DEFAULT_MESH_CONFIG, outboundTrafficPolicy: 'ALLOW_ANY_DYNAMIC_DNS' },
];
