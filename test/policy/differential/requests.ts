import * as fc from 'fast-check';
import { ODD_SEGMENTS, SEGMENTS } from './pools.ts';
import { TOKENS } from './tokens.ts';

/** A request as it goes over the wire; the caller is chosen apart. Text is bytes, one for each character (latin1). */
export interface Sent {
  readonly method: string;
  /** The request target, as it is. */
  readonly target: string;
  readonly host: string;
  /** Lines in order, besides Host. */
  readonly headers: readonly (readonly [string, string])[];
  /** The number of the token that comes along as Authorization. */
  readonly token?: number;
}

/** UTF-8 as a text of bytes. */
function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

const TARGETS: readonly string[] = [
  '/admin',
  '/admin',
  '/admin?x=1',
  '/admin/?q=1',
  '/admin?q=1',
  '/admin?q=/../x',
  '/admin#top',
  '/admin#/../x',
  '/admin?a=1#top',
  '/a#top?x=1',
  '/admin/x',
  '/admin/',
  '/adminx',
  '//admin',
  '///admin//x',
  '/a/../admin',
  '/a/%2e%2e/admin',
  '/a//../admin',
  '/../admin',
  '/admin/..',
  '/admin/../',
  '/admin/.',
  '/%61dmin',
  '/admin%2Fx',
  '/admin%2f',
  '/admin%5cx',
  '/admin\\x',
  '/admin;v=1/x',
  '/admin;v=1',
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
  '/store/%2e/cart',
  '/store/a%2Fb/cart',
  '/store/',
  '/store',
  '/notes.txt',
  '/notes.txt?x',
  '/a/b/..',
  '/x|y{z}^"`',
  '/%c3%a9',
  '/%7Euser',
  '/?/admin',
  '//',
  '///?q=1',
  '/%2F',
  '/.//',
  '/?',
  '/#',
  `/${'a'.repeat(3000)}`,
  `/admin/${'x/'.repeat(2000)}x`,
  `/admin?${'q'.repeat(6000)}`,
  'http://other.example/admin',
  'http://APP.example:8080/admin?q=1',
  'http://app.example',
];

const made = fc
  .tuple(
    fc.array(
      fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom(...SEGMENTS.filter((segment) => segment !== 'é')) },
        { weight: 2, arbitrary: fc.constantFrom(...ODD_SEGMENTS) },
      ),
      { minLength: 1, maxLength: 5 },
    ),
    fc.constantFrom('', '', '', '/', '?q=1', '?/admin', '#top', ';v=1', '?', '//', '/..', '/.'),
  )
  .map(([segments, end]) => `/${segments.join('/')}${end}`);

const HOSTS = [
  'app.example',
  'app.example',
  'APP.Example',
  'app.example:8080',
  'APP.EXAMPLE:8080',
  'app.example:',
  'app.example:80',
  'app.example.',
  'other.example',
  'other.example:8080',
  'example',
  '.example',
  'app.example.org',
  '[::1]',
  '[::1]:8080',
  '127.0.0.1:8080',
];

const role = (...lines: readonly string[]): readonly (readonly [string, string])[] => lines.map((line) => ['x-role', line]);

const ROLES: readonly (readonly (readonly [string, string])[])[] = [
  [],
  [],
  role('admin'),
  role('ADMIN'),
  role('user'),
  role('user', 'admin'),
  role('admin', 'user'),
  role('admin', 'admin'),
  role('user,admin'),
  role('user, admin'),
  role(''),
  role('', 'admin'),
  role('admin', ''),
  role(' admin\t'),
  role(bytes('é1')),
  role('administrator'),
  [['X-ROLE', 'admin']],
  [
    ['X-Role', 'user'],
    ['x-role', 'admin'],
  ],
  role('x'.repeat(5000)),
];

const AGENTS: readonly (readonly (readonly [string, string])[])[] = [
  [],
  [],
  [],
  [['user-agent', 'bot']],
  [['User-Agent', 'robot']],
  [
    ['user-agent', 'bot'],
    ['user-agent', 'bot'],
  ],
  [
    ['user-agent', 'x'],
    ['user-agent', 'bot'],
  ],
  [
    ['user-agent', 'bot'],
    ['user-agent', ''],
    ['user-agent', 'x'],
  ],
  [['user-agent', 'a, bot ,b']],
  [['user-agent', 'abot, botb']],
];

const FORWARDED: readonly (readonly string[])[] = [
  [],
  [],
  [],
  ['10.1.2.3'],
  ['192.0.2.7, 10.9.9.9'],
  ['10.9.9.9,192.0.2.7'],
  ['192.0.2.200'],
  ['2001:db8::1'],
  ['::1'],
  ['::ffff:10.1.2.3'],
  ['10.1.2.3', '192.0.2.7'],
  ['nonsense'],
  ['10.1.2.3, '],
  ['10.1.2.3:4711'],
  ['[2001:db8::1]:80'],
  [''],
];

/** What the authorizers of CUSTOM policies look at. */
const AUTHORIZER: readonly (readonly (readonly [string, string])[])[] = [[], [['x-ext-authz', 'allow']], [['x-ext-authz', 'no']]];

const ORIGIN = ['origin', 'https://web.example'] as const;
const PREFLIGHT: readonly (readonly (readonly [string, string])[])[] = [
  [],
  [],
  [],
  [],
  [ORIGIN],
  [ORIGIN, ['access-control-request-method', 'PUT']],
  [['access-control-request-method', 'PUT']],
];

export const requests: fc.Arbitrary<Sent> = fc
  .record({
    method: fc.constantFrom('GET', 'GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH', 'PURGE'),
    target: fc.oneof({ weight: 1, arbitrary: fc.constantFrom(...TARGETS) }, { weight: 1, arbitrary: made }),
    host: fc.constantFrom(...HOSTS),
    role: fc.constantFrom(...ROLES),
    agent: fc.constantFrom(...AGENTS),
    forwarded: fc.constantFrom(...FORWARDED),
    authorizer: fc.constantFrom(...AUTHORIZER),
    preflight: fc.constantFrom(...PREFLIGHT),
    token: fc.option(fc.integer({ min: 0, max: TOKENS - 1 }), { freq: 2, nil: undefined }),
  })
  .map(({ method, target, host, role, agent, forwarded, authorizer, preflight, token }) => ({
    method,
    target,
    host,
    headers: [...role, ...agent, ...authorizer, ...preflight, ...forwarded.map((line) => ['x-forwarded-for', line] as const)],
    ...(token === undefined ? {} : { token }),
  }));
