import * as fc from 'fast-check';
import type { AuthorizationPolicy, Condition, PolicyMatch, When } from '../../../mesh/model/authorization-policy.ts';
import type { MeshConfig, PathNormalization } from '../../../mesh/model/mesh-config.ts';
import { valueOf } from '../../../policy/evaluate/text.ts';
import { given, MESH_CONFIG, operation, policy, source, trustDomain } from '../model.ts';
import { rulesOf } from './rules.ts';

// Small pools, so that policies and requests meet often; each pool holds values that differ only a little.

/** URI SANs of one certificate each. */
export const IDENTITIES: readonly (readonly string[])[] = [
  ['spiffe://cluster.local/ns/shop/sa/web'],
  ['spiffe://cluster.local/ns/shop/sa/web2'],
  ['spiffe://cluster.local/ns/shop-x/sa/web'],
  ['spiffe://old.mesh/ns/shop/sa/web'],
  ['spiffe://foreign.org/ns/shop/sa/web'],
  ['spiffe://cluster.local/k/v/ns/shop/k2/v2/sa/web/k3'],
  ['spiffe://cluster.local/ns/shop/sa/web', 'spiffe://cluster.local/ns/ops/sa/root'],
];
/** Of {@link IDENTITIES}, those that a TCP filter can tell from others. */
export const SINGLE = IDENTITIES.filter((uris) => uris.length === 1);

const PRINCIPALS = [
  'cluster.local/ns/shop/sa/web',
  'cluster.local/ns/shop/sa/w*',
  'cluster.local/ns/shop/*',
  'old.mesh/ns/shop/sa/web',
  'foreign.org/ns/shop/sa/web',
  'foreign.org/*',
  '*/ns/shop/sa/web',
  '*.mesh/ns/shop/sa/web',
  '*l/ns/shop/sa/web',
  '*/sa/web',
  '*web2',
  '*',
  'spiffe://cluster.local/ns/shop/sa/web',
  'cluster.local/ns/ops/sa/root',
  'clusterXlocal/ns/shop/sa/web',
  'cluster.local',
  'cluster*',
];
const NAMESPACES = ['shop', 'shop-x', 'shop*', '*op', '*', 'sho', 'ops', 'sh.p', '*/web'];
const ACCOUNTS = ['shop/web', 'web', 'web2', 'shop/web2', 'shop-x/web', 'ops/root'];
const BLOCKS = ['127.0.0.1', '127.0.0.2/32', '127.0.0.0/30', '10.0.0.0/8', '10.1.2.3', '0.0.0.0/0', '::/0', '2001:db8::/32'];
const METHODS = ['GET', 'POST', 'PUT', 'P*', '*T', '*', 'get', 'DELETE'];
const PATHS = [
  '/admin',
  '/admin*',
  '/admin/*',
  '*/x',
  '*',
  '/',
  '/a',
  '/a/b',
  '/store/{*}/cart',
  '/store/{**}/cart',
  '/store/{**}',
  '/{*}',
  '/ADMIN',
  '/a.b',
  '*.txt',
  '/admin?q=1',
];
const HOSTS = ['app.example', 'APP.example', '*.example', 'app.*', '*', 'app.example:8080', 'other.example', '*example'];
const HEADER_VALUES = ['admin', 'ad*', '*min', '*', 'user', 'ADMIN', 'user,admin', ''];
export const PORTS = Object.freeze({ http: 8080, tcp: 9090 });

function condition<T>(pool: readonly T[]): fc.Arbitrary<Condition<T>> {
  const list = fc.uniqueArray(fc.constantFrom(...pool), { minLength: 1, maxLength: 3 });
  return fc.oneof(
    { weight: 6, arbitrary: list.map((values) => given(values)) },
    { weight: 3, arbitrary: list.map((values) => given([], values)) },
    { weight: 1, arbitrary: fc.tuple(list, list).map(([values, not]) => given(values, not)) },
  );
}

function match(text: string): PolicyMatch {
  return text.includes('{') ? { kind: 'template', value: text } : valueOf(text);
}

function matches(pool: readonly string[]): fc.Arbitrary<Condition<PolicyMatch>> {
  return condition(pool).map(({ values, notValues }) => given(values.map(match), notValues.map(match)));
}

/** One or two of the fields. */
function few(found: object): boolean {
  const count = Object.keys(found).length;
  return count > 0 && count < 3;
}

const sources = fc
  .record(
    {
      principals: matches(PRINCIPALS),
      namespaces: matches(NAMESPACES),
      serviceAccounts: matches(ACCOUNTS),
      ipBlocks: condition(BLOCKS),
      remoteIpBlocks: condition(BLOCKS),
      requestPrincipals: matches(['*', 'iss/sub']),
    },
    { requiredKeys: [] },
  )
  .filter(few)
  .map(source);

const operations = fc
  .record(
    {
      hosts: matches(HOSTS),
      ports: condition([PORTS.http, PORTS.tcp, 1]),
      methods: matches(METHODS),
      paths: matches(PATHS),
    },
    { requiredKeys: [] },
  )
  .filter(few)
  .map(operation);

function whenOf(key: string, pool: readonly string[]): fc.Arbitrary<When> {
  return condition(pool).map((values) => ({ key, values }));
}

const whens = fc.oneof(
  {
    weight: 4,
    arbitrary: whenOf(
      'request.headers[x-role]',
      HEADER_VALUES.filter((value) => value !== ''),
    ),
  },
  { weight: 1, arbitrary: whenOf('request.headers[X-Role]', ['admin', '*']) },
  { weight: 1, arbitrary: whenOf('request.headers[Host]', ['app.example', '*']) },
  whenOf('source.principal', PRINCIPALS),
  whenOf('source.namespace', NAMESPACES),
  whenOf('source.ip', [...BLOCKS, 'nonsense', 'nonsense', '127.0.0.1/99']),
  whenOf('remote.ip', BLOCKS),
  whenOf('destination.ip', ['127.0.0.0/8', '10.0.0.0/8']),
  whenOf('destination.port', ['8080', '9090', '1', 'http']),
  whenOf('connection.sni', ['app.example', '*.example', '*']),
  whenOf('request.auth.claims[group]', ['admin', '*']),
  whenOf('request.auth.audiences', ['*']),
  whenOf('nobody.knows[this]', ['x', '*']),
);

const rules = rulesOf(sources, operations, whens);

const actions = fc.oneof(
  { weight: 10, arbitrary: fc.constant('ALLOW' as const) },
  { weight: 6, arbitrary: fc.constant('DENY' as const) },
  { weight: 1, arbitrary: fc.constant('AUDIT' as const) },
  { weight: 1, arbitrary: fc.constant('CUSTOM' as const) },
);

/** Written in another order than Envoy tries them in. */
const NAMES = ['web', 'api', 'web-2', 'cart'];

/** One workload's world: policies, mesh settings, and whether plain text gets in. */
export interface World {
  readonly policies: readonly AuthorizationPolicy[];
  readonly meshConfig: MeshConfig;
  readonly strict: boolean;
}

const MODES: readonly PathNormalization[] = ['NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES'];

export const worlds: fc.Arbitrary<World> = fc
  .record({
    drafts: fc.array(
      fc.record({
        action: actions,
        rules: fc.array(rules, { maxLength: 3 }),
        root: fc.boolean(),
        dryRun: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    mode: fc.constantFrom(...MODES),
    renamed: fc.constantFrom(undefined, undefined, [], ['cluster.local'], ['foreign.org']),
    strict: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  })
  .map(({ drafts, mode, renamed, strict }) => ({
    policies: drafts.map(({ root, ...fields }, index) => policy(root ? 'istio-system' : 'shop', NAMES[index] ?? 'more', fields)),
    meshConfig: {
      ...MESH_CONFIG,
      ...(renamed === undefined ? {} : { trustDomain: trustDomain('old.mesh'), trustDomainAliases: renamed }),
      pathNormalization: mode,
    },
    strict,
  }));

/** A request that a client can send; the caller's identity is chosen apart. */
export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly role: readonly string[] | undefined;
  readonly forwardedFor: string | undefined;
}

export const requests: fc.Arbitrary<Sent> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'),
  path: fc.constantFrom(
    '/admin',
    '/admin?x=1',
    '/admin/?q=1',
    '/admin?q=1',
    '/admin#top',
    '/admin/x',
    '/admin/',
    '/adminx',
    '//admin',
    '/a/../admin',
    '/a/%2e%2e/admin',
    '/%61dmin',
    '/admin%2Fx',
    '/admin%5cx',
    '/admin\\x',
    '/admin;v=1/x',
    '/ADMIN',
    '/',
    '/a',
    '/a/b',
    '/a//b',
    '/a/./b',
    '/aXb',
    '/a.b',
    '/store/1/cart',
    '/store//cart',
    '/store/1/2/cart',
    '/store/',
    '/store',
    '/notes.txt',
    '/a/b/..',
    '/x|y{z}^"`',
    '/%c3%a9',
    '/%7Euser',
    '/?/admin',
  ),
  host: fc.constantFrom('app.example', 'APP.Example', 'app.example:8080', 'other.example', 'example', 'app.example.org'),
  role: fc.constantFrom(undefined, undefined, ['admin'], ['ADMIN'], ['user'], ['user', 'admin'], ['']),
  forwardedFor: fc.constantFrom(undefined, undefined, '10.1.2.3', '192.0.2.7, 10.9.9.9', '2001:db8::1'),
});
