// Small pools, so that policies and requests meet often; each pool holds values that differ only a little.

/** What a certificate says of its holder. */
export interface Names {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly subject?: string;
}

const WEB = 'spiffe://cluster.local/ns/shop/sa/web';

/** Certificates of callers. A careful authority would sign none of the last four. */
export const CERTIFICATES: readonly Names[] = Object.freeze([
  { uris: [WEB] },
  { uris: ['spiffe://cluster.local/ns/shop/sa/web2'] },
  { uris: ['spiffe://cluster.local/ns/shop-x/sa/web'] },
  { uris: ['spiffe://old.mesh/ns/shop/sa/web'] },
  { uris: ['spiffe://foreign.org/ns/shop/sa/web'] },
  { uris: ['spiffe://cluster.local/k/v/ns/shop/k2/v2/sa/web/k3'] },
  { uris: [WEB, 'spiffe://cluster.local/ns/ops/sa/root'] },
  { dns: ['cluster.local/ns/shop/sa/web', 'cluster.local'] },
  { uris: [WEB], dns: ['cluster.local/ns/ops/sa/root'] },
  { subject: `CN=${WEB}` },
]);

export const PRINCIPALS: readonly string[] = Object.freeze([
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
  'spiffe://cluster.local/ns/shop/*',
  'cluster.local/ns/ops/sa/root',
  'clusterXlocal/ns/shop/sa/web',
  'cluster.local',
  'cluster.local/',
  'cluster*',
  'CLUSTER.local/ns/shop/sa/web',
  'cluster.local/ns/shop/sa/web,spiffe://cluster.local/ns/ops/sa/root',
]);
export const NAMESPACES: readonly string[] = Object.freeze([
  'shop',
  'shop-x',
  'shop*',
  '*op',
  '*',
  'sho',
  'ops',
  'sh.p',
  '*/web',
  'Shop',
]);
export const TRUST_DOMAINS = [
  'cluster.local',
  'old.mesh',
  'foreign.org',
  'cluster*',
  '*.mesh',
  '*l',
  '*',
  'cluster.loca',
  'clusterXlocal',
];
export const ACCOUNTS: readonly string[] = Object.freeze([
  'shop/web',
  'web',
  'web2',
  'shop/web2',
  'shop-x/web',
  'ops/root',
  'shop/we.',
]);
export const BLOCKS: readonly string[] = Object.freeze([
  '127.0.0.1',
  '127.0.0.2/32',
  '127.0.0.0/30',
  '10.0.0.0/8',
  '10.1.2.3',
  '10.1.2.3/0',
  '0.0.0.0/0',
  '192.0.2.0/25',
  '::/0',
  '::1',
  '2001:db8::/32',
  '2001:DB8::1/128',
  '::ffff:127.0.0.1',
  '::ffff:0:0/96',
]);
export const METHODS: readonly string[] = Object.freeze([
  'GET',
  'POST',
  'PUT',
  'P*',
  '*T',
  '*',
  'get',
  'DELETE',
  'HEAD',
  'PURGE',
  'G*',
]);
export const HOSTS: readonly string[] = Object.freeze([
  'app.example',
  'APP.example',
  '*.example',
  'app.*',
  '*',
  'app.example:8080',
  '*:8080',
  'other.example',
  '*example',
  'appXexample',
  '[::1]',
  '[::1]:8080',
]);
export const HEADER_VALUES: readonly string[] = Object.freeze([
  'admin',
  'ad*',
  '*min',
  '*',
  'user',
  'ADMIN',
  'user,admin',
  'adm*',
  'é*',
]);
export const SERVER_NAMES: readonly string[] = Object.freeze([
  'app.example',
  '*.example',
  '*',
  'app.*',
  'APP.example',
  'outbound_.80_._.app.example',
]);
export const PORTS = Object.freeze({ http: 8080, tcp: 9090 });

/** Pieces of which paths are made, of requests and of policies. */
export const SEGMENTS: readonly string[] = Object.freeze([
  'admin',
  'a',
  'b',
  'x',
  'store',
  'cart',
  '1',
  'a.b',
  'x+y',
  '(z)',
  'ADMIN',
  'é',
]);

/** Pieces that a proxy may change. */
export const ODD_SEGMENTS: readonly string[] = Object.freeze([
  '',
  '.',
  '..',
  '...',
  '%2e',
  '%2E%2e',
  '.%2e',
  '%2f',
  '%2Fadmin',
  'a%2fb',
  '%5c',
  '\\',
  '..\\',
  '%61dmin',
  '%2561dmin',
  'admin;v=1',
  ';',
  'admin%3bv=1',
  '%c3%a9',
  '%C3%A9',
  '%7Euser',
  'admin%20',
  'admin+',
  'x|y{z}^"`',
  'admin%',
  '%zz',
  '%2',
  'admin,x',
  'a=b&c',
  '*',
  '{*}',
  'admin%3Fq',
  'admin%23',
  '%41DMIN',
]);

/** Paths of policies as people write them. */
export const PATHS: readonly string[] = Object.freeze([
  '/admin',
  '/admin*',
  '/admin/*',
  '/admin/',
  '*/x',
  '*',
  '/',
  '/*',
  '/a',
  '/a/b',
  '/a//b',
  '//admin',
  '/store/{*}/cart',
  '/store/{**}/cart',
  '/store/{**}',
  '/store/{*}',
  '/{*}',
  '/{**}',
  '/{*}/{*}/{**}',
  '/ADMIN',
  '/a.b',
  '*.txt',
  '/admin?q=1',
  '*?q=1',
  '/%61dmin',
  '/admin%2Fx',
  '/admin;v=1',
  '/é',
  '/%C3%A9',
  '*admin',
  'admin',
  '',
]);
