import type { AuthorizationPolicy, Condition, Operation, Rule, Source, When } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Meta } from '../../mesh/model/object.ts';
import type { Facts } from '../evaluate/facts.ts';
import type { Request } from '../evaluate/request.ts';
import { prepareRule } from '../evaluate/rule.ts';
import { valueOf, written } from '../evaluate/text.ts';
import type { Truth } from '../evaluate/truth.ts';
import type { Language } from './language.ts';
import type { DimensionKey } from './values.ts';
import { ofHost, ofNamespace, ofPrincipal, ofServiceAccount, ofText, ofTrustDomain } from './value-language.ts';

/** One value of one field of a policy. Whether it matches is asked of policy/evaluate; nothing here decides that. */
export interface Atom {
  readonly dimension: DimensionKey;
  /** As a policy has it: `namespaces`, `paths`, `request.headers[x]`. */
  readonly field: string;
  /** As a policy has it: `/admin*`. */
  readonly text: string;
  readonly truth: (facts: Facts, request: Request) => Truth;
  readonly languages: readonly Language[];
}

/** Conditions of one field: one of the values must match, none of the others may. */
export interface Term {
  readonly dimension: DimensionKey;
  readonly values: readonly Atom[];
  readonly notValues: readonly Atom[];
}

const NONE = Object.freeze({ values: Object.freeze([]), notValues: Object.freeze([]) });
const SOURCE: Source = Object.freeze({
  principals: NONE,
  requestPrincipals: NONE,
  namespaces: NONE,
  serviceAccounts: NONE,
  trustDomains: NONE,
  ipBlocks: NONE,
  remoteIpBlocks: NONE,
});
const OPERATION: Operation = Object.freeze({ hosts: NONE, ports: NONE, methods: NONE, paths: NONE });

function only<T>(value: T): Condition<T> {
  return { values: [value], notValues: [] };
}

/** Where atoms are read: the policy's namespace and the mesh that it is in. */
export interface Reading {
  readonly meta: Meta;
  readonly meshConfig: MeshConfig;
}

/** A rule of this one condition, in the two readings that policy/evaluate has: true, and not false. */
function truthOf({ meta, meshConfig }: Reading, rule: Rule): (facts: Facts) => Truth {
  const policy: Omit<AuthorizationPolicy, 'action'> = {
    meta,
    provider: undefined,
    selector: {},
    targetRefs: [],
    rules: [rule],
    dryRun: false,
  };
  const surely = prepareRule({ ...policy, action: 'ALLOW' }, 0, rule, meshConfig);
  const perhaps = prepareRule({ ...policy, action: 'DENY' }, 0, rule, meshConfig);
  return (facts) => (surely.matches(facts) ? true : perhaps.matches(facts) ? 'unknown' : false);
}

function ofSource(reading: Reading, source: Partial<Source>): (facts: Facts) => Truth {
  return truthOf(reading, { from: [{ ...SOURCE, ...source }], to: [], when: [] });
}

function ofOperation(reading: Reading, operation: Partial<Operation>): (facts: Facts) => Truth {
  return truthOf(reading, { from: [], to: [{ ...OPERATION, ...operation }], when: [] });
}

function term<T>(dimension: DimensionKey, field: Condition<T>, atom: (value: T) => Omit<Atom, 'dimension'>): readonly Term[] {
  const made = (value: T): Atom => ({ dimension, ...atom(value) });
  if (field.values.length + field.notValues.length === 0) return [];
  return [{ dimension, values: field.values.map(made), notValues: field.notValues.map(made) }];
}

export function sourceTerms(reading: Reading, from: Source): readonly Term[] {
  return [
    ...term('caller', from.principals, (value) => ({
      field: 'principals',
      text: written(value),
      truth: ofSource(reading, { principals: only(value) }),
      languages: ofPrincipal(value, reading.meshConfig),
    })),
    ...term('caller', from.namespaces, (value) => ({
      field: 'namespaces',
      text: written(value),
      truth: ofSource(reading, { namespaces: only(value) }),
      languages: ofNamespace(value),
    })),
    ...term('caller', from.serviceAccounts, (value) => ({
      field: 'serviceAccounts',
      text: written(value).includes('/') ? written(value) : `${reading.meta.namespace}/${written(value)}`,
      truth: ofSource(reading, { serviceAccounts: only(value) }),
      languages: ofServiceAccount(value, reading.meta.namespace),
    })),
    ...term('caller', from.trustDomains, (value) => ({
      field: 'trustDomains',
      text: written(value),
      truth: ofSource(reading, { trustDomains: only(value) }),
      languages: ofTrustDomain(value),
    })),
    ...term('source.ip', from.ipBlocks, (value) => ({
      field: 'ipBlocks',
      text: value,
      truth: ofSource(reading, { ipBlocks: only(value) }),
      languages: [],
    })),
    ...term('remote.ip', from.remoteIpBlocks, (value) => ({
      field: 'remoteIpBlocks',
      text: value,
      truth: ofSource(reading, { remoteIpBlocks: only(value) }),
      languages: [],
    })),
    ...term('token', from.requestPrincipals, (value) => ({
      field: 'requestPrincipals',
      text: written(value),
      truth: ofSource(reading, { requestPrincipals: only(value) }),
      languages: [],
    })),
  ];
}

export function operationTerms(reading: Reading, to: Operation): readonly Term[] {
  return [
    ...term('port', to.ports, (value) => ({
      field: 'ports',
      text: String(value),
      truth: ofOperation(reading, { ports: only(value) }),
      languages: [],
    })),
    ...term('host', to.hosts, (value) => ({
      field: 'hosts',
      text: written(value),
      truth: ofOperation(reading, { hosts: only(value) }),
      languages: ofHost(value),
    })),
    ...term('method', to.methods, (value) => ({
      field: 'methods',
      text: written(value),
      truth: ofOperation(reading, { methods: only(value) }),
      languages: ofText(value),
    })),
    ...term('path', to.paths, (value) => ({
      field: 'paths',
      text: written(value),
      truth: ofOperation(reading, { paths: only(value) }),
      languages: ofText(value),
    })),
  ];
}

/** Keys that look at what another dimension is about. */
const SAME: Readonly<Record<string, DimensionKey>> = Object.freeze({
  'source.principal': 'caller',
  'source.namespace': 'caller',
  'source.serviceAccount': 'caller',
  'source.trustDomain': 'caller',
  'destination.port': 'port',
  'request.auth.principal': 'token',
  'request.auth.claims[iss]': 'token',
  'request.auth.claims[sub]': 'token',
  'request.auth.claims[aud]': 'request.auth.audiences',
  'request.auth.claims[azp]': 'request.auth.presenter',
  'request.headers[host]': 'host',
  'request.headers[:authority]': 'host',
  'request.headers[:method]': 'method',
  'request.headers[:path]': 'path',
});

function languagesOf(key: string, value: string, { meta, meshConfig }: Reading): readonly Language[] {
  const match = valueOf(value);
  switch (key) {
    case 'source.principal':
      return ofPrincipal(match, meshConfig);
    case 'source.namespace':
      return ofNamespace(match);
    case 'source.serviceAccount':
      return ofServiceAccount(match, meta.namespace);
    case 'source.trustDomain':
      return ofTrustDomain(match);
    default:
      return ofText(match);
  }
}

export function whenTerms(reading: Reading, when: When): readonly Term[] {
  const key = when.key.startsWith('request.headers[') ? when.key.toLowerCase() : when.key;
  const dimension = Object.hasOwn(SAME, key) ? (SAME[key] ?? key) : key;
  return term(dimension, when.values, (value) => ({
    field: key,
    text: key === 'source.serviceAccount' && !value.includes('/') ? `${reading.meta.namespace}/${value}` : value,
    truth: truthOf(reading, { from: [], to: [], when: [{ key: when.key, values: only(value) }] }),
    languages: languagesOf(key, value, reading),
  }));
}
