import * as fc from 'fast-check';
import { isRecord, listOf, type Record, recordOf, textsOf } from './record.ts';

/** One request to try. Absent is absent. */
export interface Probe {
  readonly peer: string | undefined;
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly sni: string | undefined;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly forwardedFor: string | undefined;
  readonly header: readonly (readonly [string, string])[];
  readonly claims: Record | undefined;
  readonly metadata: string | undefined;
}

/** Texts that a value takes, and texts that it nearly does. */
export function around(value: string): readonly string[] {
  if (value === '*') return ['anything'];
  if (value.includes('{')) {
    const filled = value.replaceAll('{**}', 'x/y').replaceAll('{*}', 'x');
    return [
      filled,
      `${filled}/z`,
      value.replaceAll('{**}', '').replaceAll('{*}', ''),
      value.replaceAll('{**}', 'x').replaceAll('{*}', 'x/y'),
    ];
  }
  if (value.startsWith('*')) return [`x${value.slice(1)}`, value.slice(1), `${value.slice(1)}x`];
  if (value.endsWith('*')) return [`${value.slice(0, -1)}x`, value.slice(0, -1), `x${value.slice(0, -1)}`];
  return [value, `${value}x`, `x${value}`, value.toUpperCase()];
}

function addressesAround(block: string): readonly string[] {
  const [base = '', bits] = block.split('/');
  if (bits === undefined) return [base];
  const [a, b, c] = base.split('.');
  return [base, `${a}.${b}.${c}.77`, `${a}.${b}.250.1`];
}

/** What the values of each field are, wherever in a policy it stands. */
type Mentioned = ReadonlyMap<string, readonly string[]>;

/** `notPrincipals` says as much about principals as `principals`. */
function fieldName(name: string): string {
  return name.startsWith('not') ? name.charAt(3).toLowerCase() + name.slice(4) : name;
}

const CONDITIONS: Readonly<globalThis.Record<string, string>> = Object.freeze({
  'source.ip': 'ipBlocks',
  'remote.ip': 'remoteIpBlocks',
  'source.principal': 'principals',
  'source.namespace': 'namespaces',
  'source.serviceAccount': 'serviceAccounts',
  'request.auth.principal': 'requestPrincipals',
  'destination.port': 'ports',
});

function mentioned(policies: readonly Record[]): Mentioned {
  const found = new Map<string, string[]>();
  const add = (field: string, values: readonly string[]): void => {
    found.set(field, [...new Set([...(found.get(field) ?? []), ...values])]);
  };
  for (const policy of policies) {
    for (const value of listOf(recordOf(policy['spec'])['rules'])) {
      const rule = recordOf(value);
      for (const entry of [...listOf(rule['from']), ...listOf(rule['to'])]) {
        for (const inner of Object.values(recordOf(entry)).filter(isRecord)) {
          for (const [name, values] of Object.entries(inner)) add(fieldName(name), textsOf(values));
        }
      }
      for (const entry of listOf(rule['when'])) {
        const { key, values, notValues } = recordOf(entry);
        if (typeof key === 'string') add(CONDITIONS[key] ?? key, [...textsOf(values), ...textsOf(notValues)]);
      }
    }
  }
  return found;
}

function claimsFor(path: readonly string[], value: unknown): Record {
  return path.reduceRight<Record>((inner, name, index) => ({ [name]: index === path.length - 1 ? value : inner }), {});
}

function issuerAndSubject(principal: string): Record {
  const slash = principal.lastIndexOf('/');
  if (slash < 0) return { iss: principal, sub: 'subject' };
  return { iss: principal.slice(0, slash), sub: principal.slice(slash + 1) };
}

/** What each part of a probe is chosen from. */
function pools(all: Mentioned, ports: readonly number[]) {
  const values = (field: string): readonly string[] => all.get(field) ?? [];
  const texts = (field: string): readonly string[] => values(field).flatMap(around);
  const addresses = (field: string): readonly string[] => values(field).flatMap(addressesAround);
  const headers = [...all.keys()].flatMap((key) => {
    const name = /^request\.headers\[([^:\]]+)\]$/.exec(key)?.[1];
    return name === undefined ? [] : texts(key).map((value) => [name.toLowerCase(), value] as const);
  });
  const claims = [...all.keys()].flatMap((key) => {
    const path = /^request\.auth\.claims\[(.+)\]$/.exec(key)?.[1]?.split('][');
    return path === undefined ? [] : texts(key).flatMap((value) => [claimsFor(path, value), claimsFor(path, ['other', value])]);
  });
  const tokens: readonly Record[] = [
    ...texts('requestPrincipals').flatMap((value) => [
      issuerAndSubject(value),
      { iss: 'issuer', sub: value },
      { iss: value, sub: '' },
    ]),
    ...texts('request.auth.audiences').flatMap((value) => [{ aud: value }, { aud: ['other', value] }]),
    ...texts('request.auth.presenter').map((value) => ({ azp: value })),
    ...claims,
  ];
  return {
    peer: [
      undefined,
      'spiffe://cluster.local/ns/foo/sa/sleep',
      ...texts('principals').map((value) => `spiffe://${value}`),
      ...texts('namespaces').flatMap((value) => [`spiffe://td/ns/${value}/sa/a`, `spiffe://td/k/v/ns/${value}/more`]),
      ...texts('serviceAccounts').flatMap((value) => {
        const [namespace = '', account] = value.includes('/') ? value.split('/') : ['foo', value];
        return [`spiffe://td/ns/${namespace}/sa/${account}`, `spiffe://td/a/ns/${namespace}/b/sa/${account}/c`];
      }),
    ],
    from: ['127.200.0.1', ...addresses('ipBlocks')],
    to: ['127.200.0.2', ...addresses('destination.ip')],
    port: ports,
    sni: [undefined, 'other.test', ...texts('connection.sni')],
    method: ['GET', 'DELETE', ...texts('methods')],
    host: ['other.test', ...texts('hosts')],
    path: [
      '/',
      '/other?x=/v1',
      ...[...texts('paths'), ...texts('request.headers[:path]')].flatMap((value) =>
        value.startsWith('/') ? [value, `${value}?q=1`] : [],
      ),
    ],
    forwardedFor: [undefined, ...addresses('remoteIpBlocks'), ...addresses('remoteIpBlocks').map((one) => `10.1.1.1, ${one}`)],
    header: [[], ...headers.map((one) => [one]), ...headers.slice(1).map((one, index) => [one, headers[index] ?? one])],
    claims: [undefined, { iss: 'issuer', sub: 'subject' }, ...tokens],
    metadata: [undefined, ...[...all.keys()].filter((key) => key.startsWith('experimental.')).flatMap(texts)],
  } as const;
}

/**
 * Requests that policies speak of: every value of every part at least once, the rest of the request chosen at random, and as many
 * random ones.
 */
export function probesFor(policies: readonly Record[], ports: readonly number[], seed: number): readonly Probe[] {
  const all = pools(mentioned(policies), ports);
  const any = fc.record({
    peer: fc.constantFrom(...all.peer),
    from: fc.constantFrom(...all.from),
    to: fc.constantFrom(...all.to),
    port: fc.constantFrom(...all.port),
    sni: fc.constantFrom(...all.sni),
    method: fc.constantFrom(...all.method),
    host: fc.constantFrom(...all.host),
    path: fc.constantFrom(...all.path),
    forwardedFor: fc.constantFrom(...all.forwardedFor),
    header: fc.constantFrom<Probe['header']>(...all.header),
    claims: fc.constantFrom<Probe['claims']>(...all.claims),
    metadata: fc.constantFrom(...all.metadata),
  });
  const varied = Object.entries(all).flatMap(([name, values]) => values.map((value) => ({ [name]: value })));
  const random = fc.sample(any, { seed, numRuns: varied.length + 60 });
  return random.map((probe, index) => ({ ...probe, ...varied[index] }));
}
