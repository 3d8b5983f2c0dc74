import * as fc from 'fast-check';
import type { ExtensionProvider } from '../../../mesh/model/extension-provider.ts';
import { parseHostname } from '../../../mesh/model/hostname.ts';
import type { JwtRule, RequestAuthentication } from '../../../mesh/model/request-authentication.ts';
import type { Service } from '../../../mesh/model/service.ts';
import { meta, port } from '../model.ts';

function hostname(text: string): NonNullable<ReturnType<typeof parseHostname>> {
  const found = parseHostname(text);
  if (found === undefined) throw new RangeError(`${text} is no host`);
  return found;
}

/** The Service of an external authorizer. */
export const AUTHORIZER: Service = {
  meta: meta('Service', 'ops', 'authorizer'),
  hostname: hostname('authorizer.ops.svc.cluster.local'),
  addresses: [],
  ports: [{ name: 'grpc', port: port(9000), targetPort: port(9000), protocol: 'grpc' }],
  selector: undefined,
  resolution: 'endpoints',
  external: false,
  endpoints: [],
  exportTo: { kind: 'all' },
};

const COMMON = {
  service: { namespace: undefined, host: AUTHORIZER.hostname },
  port: port(9000),
  timeoutMs: 1000,
  failOpen: false,
  statusOnError: undefined,
  clearRouteCache: false,
  body: undefined,
};

/** One that is asked about connections too, and one that is not. */
export const PROVIDERS: readonly ExtensionProvider[] = [
  { kind: 'ext-authz-grpc', name: 'authorizer', ...COMMON },
  {
    kind: 'ext-authz-http',
    name: 'web-authorizer',
    ...COMMON,
    pathPrefix: '',
    requestHeaders: [],
    additionalHeaders: {},
    toUpstreamOnAllow: [],
    toDownstreamOnDeny: [],
    toDownstreamOnAllow: [],
  },
];

const jwtRules: fc.Arbitrary<JwtRule> = fc
  .record({
    issuer: fc.constantFrom('iss', 'iss2', undefined),
    audiences: fc.constantFrom<readonly string[]>([], ['shop'], ['https://ops/', 'none']),
    required: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  })
  .map((fields) => ({
    ...fields,
    keys: { kind: 'uri', uri: 'https://issuer.example/keys', timeoutMs: 1000 },
    fromHeaders: [],
    fromParams: [],
    fromCookies: [],
    forwardOriginalToken: false,
    outputPayloadToHeader: undefined,
    outputClaimToHeaders: [],
    spaceDelimitedClaims: [],
  }));

/** What verifies tokens at the workloads of namespace `shop`; undefined: nothing does. */
export const authentications: fc.Arbitrary<RequestAuthentication | undefined> = fc.option(
  fc.array(jwtRules, { minLength: 1, maxLength: 3 }).map((rules) => ({
    meta: meta('RequestAuthentication', 'shop', 'tokens'),
    selector: {},
    targetRefs: [],
    rules,
  })),
  { nil: undefined },
);
