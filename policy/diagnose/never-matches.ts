import type { AuthorizationPolicy, Operation, Rule, Source, When } from '../../mesh/model/authorization-policy.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { excludesAll, excludesAllBlocks, excludesAllHosts, excludesAllPorts } from './covers.ts';
import { writtenValue } from './fields.ts';
import { finding, some } from './finding.ts';
import { parsePrincipal } from './identities.ts';
import type { Survey } from './survey.ts';

/** Why conditions cannot all hold, and whether that is so over HTTP only: a TCP port sees nothing of such fields. */
interface Contradiction {
  readonly why: string;
  readonly http: boolean;
}

const IDENTITY = Object.freeze(['principals', 'namespaces', 'serviceAccounts', 'trustDomains'] as const);

function excluded(name: string, http: boolean): Contradiction {
  const not = `not${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  return { why: `of ${name} every value is also excluded by ${not}`, http };
}

/** Principals of other namespaces than those that are asked for. */
function apart({ principals, namespaces }: Source): Contradiction | undefined {
  if (principals.values.length === 0 || namespaces.values.length === 0) return undefined;
  if (!namespaces.values.every(({ kind }) => kind === 'exact')) return undefined;
  const wanted = new Set(namespaces.values.map(writtenValue));
  const found = principals.values.map((value) => parsePrincipal(writtenValue(value))?.namespace);
  if (found.some((namespace) => namespace === undefined || wanted.has(namespace))) return undefined;
  const theirs = some([...new Set(found)].map(String));
  return { why: `the principals are of namespace ${theirs}, and namespaces asks for ${some([...wanted])}`, http: false };
}

function ofSource(source: Source): Contradiction | undefined {
  for (const name of IDENTITY) if (excludesAll(source[name])) return excluded(name, false);
  for (const name of ['ipBlocks', 'remoteIpBlocks'] as const) if (excludesAllBlocks(source[name])) return excluded(name, false);
  return apart(source) ?? (excludesAll(source.requestPrincipals) ? excluded('requestPrincipals', true) : undefined);
}

function ofPorts({ ports }: Operation, when: readonly When[]): Contradiction | undefined {
  if (excludesAllPorts(ports)) return excluded('ports', false);
  if (ports.values.length === 0) return undefined;
  const other = when.find(
    ({ key, values }) =>
      key === 'destination.port' &&
      values.values.length > 0 &&
      values.values.every(isPort) &&
      !ports.values.some((port) => values.values.includes(String(port))),
  );
  if (other === undefined) return undefined;
  const why = `ports asks for ${some(ports.values.map(String))}, and destination.port for ${some(other.values.values)}`;
  return { why, http: false };
}

function ofOperation(operation: Operation, when: readonly When[], allows: boolean): Contradiction | undefined {
  const ports = ofPorts(operation, when);
  if (ports !== undefined) return ports;
  if (excludesAllHosts(operation.hosts, allows)) return excluded('hosts', true);
  const name = (['methods', 'paths'] as const).find((one) => excludesAll(operation[one]));
  return name === undefined ? undefined : excluded(name, true);
}

function isExact(value: string): boolean {
  return !value.startsWith('*') && !value.endsWith('*');
}

function isPort(value: string): boolean {
  return /^[1-9]\d{0,4}$/.test(value) && Number(value) <= 65_535;
}

/** Keys whose values are texts of which a request has one, so that two of them cannot be met at once. */
const ONE_VALUE: ReadonlySet<string> = new Set([
  'source.principal',
  'source.namespace',
  'connection.sni',
  'request.auth.principal',
]);

const NAMED = /^request\.(headers|auth\.claims)\[.+\]$/;

function ofWhen(when: readonly When[], at: number): Contradiction | undefined {
  const one = when[at];
  if (one === undefined || one.values.values.length === 0) return undefined;
  const { key, values } = one;
  const http = key.startsWith('request.');
  const isKnown = ONE_VALUE.has(key) || NAMED.test(key) || (key === 'destination.port' && values.values.every(isPort));
  if (!isKnown || !values.values.every(isExact)) return undefined;
  if (values.values.every((value) => values.notValues.includes(value)))
    return { why: `of ${key} every value is also excluded by notValues`, http };
  if (!ONE_VALUE.has(key) || key === 'source.principal') return undefined;
  const other = when.find(
    (earlier, index) =>
      index < at &&
      earlier.key === key &&
      earlier.values.values.length > 0 &&
      earlier.values.values.every(isExact) &&
      !earlier.values.values.some((value) => values.values.includes(value)),
  );
  return other === undefined
    ? undefined
    : { why: `${key} cannot be ${some(other.values.values)} and ${some(values.values)} at once`, http };
}

/** What follows for the rule when all its alternatives contradict themselves, for one of them otherwise. */
function effectOf({ action }: AuthorizationPolicy, whole: boolean, http: boolean): string {
  const what = whole ? 'this rule' : 'this entry';
  if (action === 'ALLOW') return whole ? `${what} lets nobody in` : `${what} never matches`;
  const verb = action === 'DENY' && whole ? 'denies nothing' : 'never matches';
  return `${what} ${verb}${http ? ' over HTTP' : ''}`;
}

function ofRule(policy: AuthorizationPolicy, rule: Rule, at: number): readonly Diagnostic[] {
  const root = `spec.rules[${at}]`;
  const told = (field: string, found: Contradiction | undefined, whole: boolean): readonly Diagnostic[] =>
    found === undefined
      ? []
      : [
          finding(
            policy.meta,
            field,
            'warning',
            'never-matches',
            `${found.why}; ${effectOf(policy, whole, found.http)}`,
            'conditions of one entry must all hold; put alternatives into entries of their own',
          ),
        ];
  const sources = rule.from.map(ofSource);
  const operations = rule.to.map((operation) => ofOperation(operation, rule.when, policy.action === 'ALLOW'));
  const whole = (found: readonly (Contradiction | undefined)[]): boolean => found.every((one) => one !== undefined);
  return [
    ...sources.flatMap((found, index) => told(`${root}.from[${index}]`, found, whole(sources))),
    ...operations.flatMap((found, index) => told(`${root}.to[${index}]`, found, whole(operations))),
    ...rule.when.flatMap((_, index) => told(`${root}.when[${index}]`, ofWhen(rule.when, index), true)),
  ];
}

/** Rules and entries whose conditions contradict each other. */
export function contradictions({ policies }: Survey): readonly Diagnostic[] {
  return policies.flatMap((policy) => policy.rules.flatMap((rule, at) => ofRule(policy, rule, at)));
}
