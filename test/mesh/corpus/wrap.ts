import { isRow, type Row, text } from './corpora.ts';

/** A whole object that holds the message a row is about, and whether Istio takes it. */
export interface Wrapped {
  readonly kind: string;
  readonly spec: unknown;
  readonly annotations?: unknown;
  readonly name?: string;
  readonly namespace?: unknown;
  readonly valid: boolean;
}

/** @param key what the row is about, in tables that were maps */
type Wrap = (row: Row, key: string) => Wrapped | undefined;

const route = { route: [{ destination: { host: 'foo.baz' } }] };
const virtualService = (http: unknown, valid: boolean): Wrapped => ({
  kind: 'VirtualService',
  spec: { hosts: ['foo.bar'], http: [http] },
  valid,
});
const server = (one: unknown, valid: boolean): Wrapped => ({
  kind: 'Gateway',
  spec: { selector: { istio: 'ingressgateway' }, servers: [one] },
  valid,
});
const rule = (policy: unknown, valid: boolean): Wrapped => ({
  kind: 'DestinationRule',
  spec: { host: 'foo.baz', trafficPolicy: policy },
  valid,
});
const isValid = (row: Row): boolean => row['valid'] === true;
const accepted = (row: Row): boolean => row['out'] === undefined || row['out'] === '';
const inRoute =
  (field: string, source = 'in'): Wrap =>
  (row) =>
    virtualService({ ...route, [field]: row[source] }, isValid(row));
const whole =
  (kind: string): Wrap =>
  (row) => ({
    kind,
    spec: row['in'] ?? {},
    annotations: row['annotations'],
    ...(typeof row['configName'] === 'string' ? { name: row['configName'] } : {}),
    valid: isValid(row),
  });
const inRule = (key: string, values: unknown, valid: boolean): Wrapped => ({
  kind: 'AuthorizationPolicy',
  spec: { rules: [{ to: [{ operation: { [key]: values } }] }] },
  valid,
});

const inSource = (key: string, values: unknown, valid: boolean): Wrapped => ({
  kind: 'AuthorizationPolicy',
  spec: { rules: [{ from: [{ source: { [key]: values } }] }] },
  valid,
});

/** The tables about kinds and fields that are configured here, each with the object its rows are put in. */
export const WRAPS: Readonly<Record<string, Wrap>> = Object.freeze({
  TestValidateGateway: (row) => ({ kind: 'Gateway', spec: row['in'], valid: accepted(row) }),
  TestValidateServer: (row) => server(row['in'], accepted(row)),
  TestValidateServerPort: (row) => server({ hosts: ['*'], tls: { mode: 'PASSTHROUGH' }, port: row['in'] }, accepted(row)),
  TestValidateTlsOptions: (row) =>
    server({ hosts: ['*'], port: { number: 443, name: 'https', protocol: 'HTTPS' }, tls: row['in'] }, accepted(row)),
  TestStrictValidateHTTPHeaderName: (row) =>
    virtualService({ ...route, headers: { request: { set: { [text(row['name'])]: 'x' } } } }, isValid(row)),
  TestValidateHTTPHeaderName: (row) =>
    virtualService({ ...route, match: [{ headers: { [text(row['name'])]: { exact: 'x' } } }] }, isValid(row)),
  TestValidateCORSPolicy: inRoute('corsPolicy'),
  TestValidateHTTPStatus: (row) => virtualService({ ...route, fault: { abort: { httpStatus: row['in'] } } }, isValid(row)),
  TestValidateHTTPFaultInjectionAbort: (row) =>
    virtualService(row['in'] === undefined ? route : { ...route, fault: { abort: row['in'] } }, isValid(row)),
  TestValidateHTTPFaultInjectionDelay: (row) => virtualService({ ...route, fault: { delay: row['in'] } }, isValid(row)),
  TestValidateHTTPRetry: inRoute('retries'),
  TestValidateHTTPRewrite: inRoute('rewrite'),
  TestValidateUriRegexRewrite: (row) => virtualService({ ...route, rewrite: { uriRegexRewrite: row['in'] } }, isValid(row)),
  TestValidatePortName: (row) =>
    server({ hosts: ['*'], port: { number: 80, name: row['name'], protocol: 'HTTP' } }, isValid(row)),
  TestValidateHTTPRedirect: (row) => virtualService({ redirect: row['redirect'] }, isValid(row)),
  TestValidateHTTPDirectResponse: (row) =>
    virtualService(row['directResponse'] === undefined ? route : { directResponse: row['directResponse'] }, isValid(row)),
  TestValidateDestination: (row) => virtualService({ route: [{ destination: row['destination'] }] }, isValid(row)),
  TestValidateHTTPRoute: (row) => virtualService(row['route'], isValid(row)),
  TestValidateRootHTTPRoute: (row) => virtualService(row['route'], isValid(row)),
  TestValidateDelegateHTTPRoute: (row) => ({ kind: 'VirtualService', spec: { http: [row['route']] }, valid: isValid(row) }),
  TestValidateChainingVirtualService: whole('VirtualService'),
  TestValidateRouteDestination: (row) => virtualService({ route: row['routes'] ?? [] }, isValid(row)),
  TestValidateVirtualService: whole('VirtualService'),
  TestValidateDestinationRule: whole('DestinationRule'),
  TestValidateTrafficPolicy: (row) => rule(row['in'], isValid(row)),
  TestValidateConnectionPool: (row) => rule({ connectionPool: row['in'] }, isValid(row)),
  TestValidateLoadBalancer: (row) => rule({ loadBalancer: row['in'] }, isValid(row)),
  TestValidateOutlierDetection: (row) => rule({ outlierDetection: row['in'] }, isValid(row)),
  TestValidateServiceEntries: whole('ServiceEntry'),
  TestValidateSidecar: whole('Sidecar'),
  TestValidateWorkloadEntry: whole('WorkloadEntry'),
  TestValidateWorkloadGroup: whole('WorkloadGroup'),
  TestValidateAuthorizationPolicy: whole('AuthorizationPolicy'),
  TestValidatePeerAuthentication: whole('PeerAuthentication'),
  TestValidateRequestAuthentication: whole('RequestAuthentication'),
  TestParseJwksURI: (row) => ({
    kind: 'RequestAuthentication',
    spec: { jwtRules: [{ issuer: 'example', jwksUri: row['in'] }] },
    valid: row['expectedError'] !== true,
  }),
  Test_validateExportTo: (row) => {
    const exportTo = row['exportTo'] ?? [];
    const valid = row['wantErr'] !== true;
    const { namespace } = row;
    if (row['isServiceEntry'] === true)
      return {
        kind: 'ServiceEntry',
        spec: { hosts: ['foo.bar'], ports: [{ number: 80, name: 'http', protocol: 'HTTP' }], resolution: 'DNS', exportTo },
        valid,
        namespace,
      };
    const selected = row['isDestinationRuleWithSelector'] === true;
    return {
      kind: 'DestinationRule',
      spec: { host: 'foo.bar', exportTo, ...(selected ? { workloadSelector: { matchLabels: { app: 'x' } } } : {}) },
      valid,
      namespace,
    };
  },
  TestValidateHTTPHeaderValue: (row) =>
    virtualService({ ...route, headers: { request: { set: { name: row['input'] } } } }, row['expected'] === undefined),
  TestCheckValidPathTemplate: (row) => inRule('paths', row['values'], row['wantError'] !== true),
  TestValidateCondition: (row) => ({
    kind: 'AuthorizationPolicy',
    spec: { rules: [{ when: [{ key: row['key'], values: row['values'] }] }] },
    valid: row['wantError'] !== true,
  }),
  TestCheckTrustDomainValues: (row) => inSource('trustDomains', row['values'], row['wantError'] !== true),
  TestCheckWildcardValues: (row) => ({
    kind: 'AuthorizationPolicy',
    spec: { rules: [{ when: [{ key: 'source.trustDomain', values: row['values'] }] }] },
    valid: row['wantError'] !== true,
  }),
  // Both are admitted by Istio, as a template and as a path that is compared as it stands.
  TestContainsPathTemplate: (row) => inRule('paths', [row['path']], true),
  // A slash begins a new segment of a path, so that no object shows what one segment with a slash would be.
  TestIsValidLiteral: (row) =>
    text(row['glob']).includes('/') ? undefined : inRule('paths', [`/{*}/${text(row['glob'])}`], row['expected'] === true),
  TestValidationIPAddress: (row) => inSource('ipBlocks', [row['addr']], row['ok'] === true),
  TestValidationIPSubnet: (row) => inSource('ipBlocks', [row['subnet']], row['ok'] === true),
  TestValidateExtensionProviderService: (row) => ({
    kind: 'MeshConfig',
    spec: { extensionProviders: [{ name: 'case', envoyExtAuthzGrpc: { service: row['service'], port: 9000 } }] },
    valid: row['valid'] === true,
  }),
  TestValidateTrustDomain: (row) => ({
    kind: 'MeshConfig',
    spec: { trustDomain: row['in'] ?? '' },
    valid: accepted(row) && row['err'] === undefined,
  }),
  TestValidateDuration: (row) => virtualService({ ...route, timeout: row['duration'] }, row['isValid'] === true),
  TestValidateWildcardDomainForVirtualServiceBoundToGateway: (row) => ({
    kind: 'VirtualService',
    spec:
      row['sni'] === true
        ? {
            hosts: [row['in'] ?? ''],
            gateways: ['gateway'],
            tls: [{ match: [{ port: 443, sniHosts: [row['in'] ?? ''] }], route: [{ destination: { host: 'foo.baz' } }] }],
          }
        : { hosts: [row['in'] ?? ''], gateways: ['gateway'], http: [route] },
    valid: row['out'] === undefined,
  }),
  TestValidateFQDN: (row) => virtualService({ route: [{ destination: { host: row['fqdn'] } }] }, isValid(row)),
  TestValidateWildcardDomain: (row) => ({ kind: 'DestinationRule', spec: { host: row['in'] }, valid: row['out'] === undefined }),
  TestValidatePercent: (row) => rule({ outlierDetection: { maxEjectionPercent: row['val'] ?? 0 } }, isValid(row)),
  TestValidatePort: (row) =>
    rule({ portLevelSettings: [{ port: { number: row['port'] ?? 0 }, loadBalancer: { simple: 'RANDOM' } }] }, isValid(row)),
  TestValidateLocalityLbSetting: (row) =>
    rule({ loadBalancer: { localityLbSetting: isRow(row['in']) ? row['in'] : undefined, simple: 'RANDOM' } }, isValid(row)),
});
