import * as fc from 'fast-check';
import type { AuthorizationPolicy, Condition, PolicyMatch, When } from '../../../mesh/model/authorization-policy.ts';
import type { JwtRule } from '../../../mesh/model/request-authentication.ts';
import type { MeshConfig, PathNormalization } from '../../../mesh/model/mesh-config.ts';
import { valueOf } from '../../../policy/evaluate/text.ts';
import { given, MESH_CONFIG, operation, policy, source, trustDomain } from '../model.ts';
import { rulesOf } from './rules.ts';
import { EXTENSION_PROVIDERS } from './authorizers.ts';
import {
  ACCOUNTS,
  BLOCKS,
  HEADER_VALUES,
  HOSTS,
  METHODS,
  NAMESPACES,
  TRUST_DOMAINS,
  PATHS,
  PORTS,
  PRINCIPALS,
  SEGMENTS,
  SERVER_NAMES,
} from './pools.ts';

function condition<T>(value: fc.Arbitrary<T>): fc.Arbitrary<Condition<T>> {
  const list = fc.uniqueArray(value, { minLength: 1, maxLength: 3 });
  return fc.oneof(
    { weight: 6, arbitrary: list.map((values) => given(values)) },
    { weight: 3, arbitrary: list.map((values) => given([], values)) },
    { weight: 1, arbitrary: fc.tuple(list, list).map(([values, not]) => given(values, not)) },
  );
}

/** Many values at once are written for Envoy in another way than a few. */
function many(pool: readonly string[]): fc.Arbitrary<Condition<string>> {
  return fc.oneof(
    { weight: 9, arbitrary: condition(fc.constantFrom(...pool)) },
    { weight: 1, arbitrary: fc.subarray([...pool], { minLength: 5 }).map((values) => given(values)) },
  );
}

function match(text: string): PolicyMatch {
  return /\{\*\*?\}/.test(text) ? { kind: 'template', value: text } : valueOf(text);
}

function matches(texts: fc.Arbitrary<Condition<string>>): fc.Arbitrary<Condition<PolicyMatch>> {
  return texts.map(({ values, notValues }) => given(values.map(match), notValues.map(match)));
}

/** Paths put together of pieces, some with a wildcard. */
const madePaths = fc
  .tuple(
    fc.array(fc.constantFrom(...SEGMENTS, ...SEGMENTS, '{*}'), { minLength: 1, maxLength: 4 }),
    fc.constantFrom('', '', '/', '*', '/*', '/{**}'),
  )
  .map(([segments, end]) =>
    segments.includes('{*}') ? `/${segments.join('/')}${end.replace(/\*$/, '')}` : `/${segments.join('/')}${end}`,
  );

const paths = condition(
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...PATHS.filter((path) => path !== '')) },
    { weight: 1, arbitrary: madePaths },
  ),
);

/** One or two of the fields. */
function few(found: object): boolean {
  const count = Object.keys(found).length;
  return count > 0 && count < 3;
}

const REQUEST_PRINCIPALS: readonly string[] = [
  '*',
  'iss/sub',
  'https://iss.example/sub',
  'https://iss.example/*',
  '*/sub',
  'iss*',
];

const sources = fc
  .record(
    {
      principals: matches(many(PRINCIPALS)),
      namespaces: matches(many(NAMESPACES)),
      serviceAccounts: matches(many(ACCOUNTS)),
      trustDomains: matches(many(TRUST_DOMAINS)),
      ipBlocks: condition(fc.constantFrom(...BLOCKS)),
      remoteIpBlocks: condition(fc.constantFrom(...BLOCKS)),
      requestPrincipals: matches(condition(fc.constantFrom(...REQUEST_PRINCIPALS))),
    },
    { requiredKeys: [] },
  )
  .filter(few)
  .map(source);

const operations = fc
  .record(
    {
      hosts: matches(many(HOSTS)),
      ports: condition(fc.constantFrom(PORTS.http, PORTS.tcp, 1)),
      methods: matches(many(METHODS)),
      paths: matches(paths),
    },
    { requiredKeys: [] },
  )
  .filter(few)
  .map(operation);

function whenOf(key: string, ...pool: readonly string[]): fc.Arbitrary<When> {
  return condition(fc.constantFrom(...pool)).map((values) => ({ key, values }));
}

const whens = fc.oneof(
  { weight: 4, arbitrary: whenOf('request.headers[x-role]', ...HEADER_VALUES) },
  whenOf('request.headers[X-Role]', 'admin', '*'),
  whenOf('request.headers[Host]', 'app.example', '*', 'app.example:8080'),
  whenOf('request.headers[:authority]', 'app.example', '*example'),
  whenOf('request.headers[:method]', 'GET', 'P*'),
  whenOf('request.headers[:path]', '/admin', '/admin*', '*q=1', '/a/b'),
  { weight: 2, arbitrary: whenOf('request.headers[user-agent]', 'bot', 'bot*', '*bot', 'bot,bot', '*') },
  whenOf('request.headers[X-Forwarded-For]', '10.1.2.3', '10.1.2.3, 192.0.2.7', '*7', '::1'),
  whenOf('source.principal', ...PRINCIPALS),
  whenOf('source.namespace', ...NAMESPACES),
  whenOf('source.serviceAccount', ...ACCOUNTS, 'web*', '*'),
  whenOf('source.trustDomain', ...TRUST_DOMAINS),
  whenOf('experimental.envoy.filters.http.nobody[tier]', 'gold', '[gold]', '*'),
  whenOf('request.headers[authorization]', '*', 'Bearer*', 'Basic*'),
  whenOf('source.ip', ...BLOCKS, 'nonsense', 'nonsense', '127.0.0.1/99'),
  whenOf('remote.ip', ...BLOCKS, 'fe80::1%lo'),
  whenOf('destination.ip', '127.0.0.0/8', '10.0.0.0/8', '::/0', 'nonsense'),
  whenOf('destination.port', '8080', '9090', '1', 'http', '08080', '65536'),
  whenOf('connection.sni', ...SERVER_NAMES),
  whenOf('request.auth.principal', ...REQUEST_PRINCIPALS),
  whenOf('request.auth.audiences', '*', 'shop'),
  whenOf('request.auth.presenter', '*', 'client'),
  whenOf('request.auth.claims[group]', 'admin', '*', 'ad*', '*min'),
  whenOf('request.auth.claims[scope]', 'read', 'read write', 'wr*'),
  whenOf('request.auth.claims[realm][role]', 'admin', '*'),
  whenOf('request.auth.claims[realm]', 'admin', '*'),
  whenOf('request.auth.claims[realm.role]', 'admin'),
  whenOf('request.auth.claims[roles]', 'admin', 'user admin', 'user*'),
  whenOf('request.auth.claims[iss]', 'iss', 'https*'),
  whenOf('nobody.knows[this]', 'x', '*'),
  whenOf('request.headers', 'x'),
);

const rules = rulesOf(sources, operations, whens);

/** A RequestAuthentication's rule; its keys are added where they are known. */
export interface TokenRule extends Omit<JwtRule, 'keys' | 'issuer'> {
  /** Of the issuers. */
  readonly issuer: number;
}

const tokenRules: fc.Arbitrary<TokenRule> = fc.record({
  issuer: fc.constantFrom(0, 0, 1),
  audiences: fc.constantFrom([], [], ['shop'], ['other', 'x']),
  fromHeaders: fc.constant([]),
  fromParams: fc.constant([]),
  fromCookies: fc.constant([]),
  forwardOriginalToken: fc.boolean(),
  outputPayloadToHeader: fc.constant(undefined),
  outputClaimToHeaders: fc.constant([]),
  spaceDelimitedClaims: fc.constantFrom([], ['roles'], ['group', 'roles']),
  required: fc.integer({ min: 0, max: 11 }).map((number) => number === 0),
});

/** Rules of each RequestAuthentication: mostly none, or one of each issuer. */
const authentications: fc.Arbitrary<readonly (readonly TokenRule[])[]> = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  { weight: 2, arbitrary: fc.array(fc.array(tokenRules, { minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 2 }) },
);

const PROVIDERS: readonly string[] = ['authz-http', 'authz-grpc', 'nowhere', 'missing'];

const actions = fc.oneof(
  { weight: 10, arbitrary: fc.constant('ALLOW' as const) },
  { weight: 6, arbitrary: fc.constant('DENY' as const) },
  { weight: 2, arbitrary: fc.constant('AUDIT' as const) },
  { weight: 2, arbitrary: fc.constant('CUSTOM' as const) },
);

/** Written in another order than Envoy tries them in. */
const NAMES = ['web', 'api', 'web-2', 'cart', 'Z'];

/** One workload's world: policies, mesh settings, and who gets as far as policy. */
export interface World {
  readonly policies: readonly AuthorizationPolicy[];
  readonly authentications: readonly (readonly TokenRule[])[];
  readonly meshConfig: MeshConfig;
  readonly strict: boolean;
  /** TLS takes any certificate of its roots, and none at all, as a gateway may: who calls is left to policy alone. */
  readonly lax: boolean;
  /** It listens on IPv6 and takes IPv4 too. */
  readonly dualStack: boolean;
}

const MODES: readonly PathNormalization[] = ['NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES'];

const rarely = fc.integer({ min: 0, max: 9 }).map((number) => number === 0);

export const worlds: fc.Arbitrary<World> = fc
  .record({
    drafts: fc.array(
      fc.record({
        action: actions,
        rules: fc.array(rules, { maxLength: 3 }),
        root: fc.boolean(),
        dryRun: rarely,
        provider: fc.constantFrom(...PROVIDERS),
      }),
      { minLength: 1, maxLength: 5 },
    ),
    authentications,
    mode: fc.constantFrom(...MODES),
    renamed: fc.constantFrom(undefined, undefined, [], ['cluster.local'], ['foreign.org'], ['cluster.local', 'foreign.org']),
    strict: rarely,
    lax: fc.boolean(),
    dualStack: rarely,
  })
  .map(({ drafts, authentications, mode, renamed, strict, lax, dualStack }) => ({
    policies: drafts.map(({ root, provider, ...fields }, index) =>
      policy(root ? 'istio-system' : 'shop', NAMES[index] ?? 'more', {
        ...fields,
        provider: fields.action === 'CUSTOM' ? provider : undefined,
      }),
    ),
    authentications,
    meshConfig: {
      ...MESH_CONFIG,
      ...(renamed === undefined ? {} : { trustDomain: trustDomain('old.mesh'), trustDomainAliases: renamed }),
      pathNormalization: mode,
      extensionProviders: EXTENSION_PROVIDERS,
    },
    // A gateway that takes calls without a certificate is never strict.
    strict: strict && !lax,
    lax,
    dualStack,
  }));
