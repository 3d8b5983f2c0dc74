import type { AuthorizationPolicy, Operation, Rule, Source, When } from '../../mesh/model/authorization-policy.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { excludesAll, excludesAllBlocks, excludesAllPorts } from './covers.ts';
import { writtenValue } from './fields.ts';
import { finding, some } from './finding.ts';
import { parsePrincipal } from './identities.ts';
import type { Survey } from './survey.ts';

const EXCLUDED = 'every value is also excluded by';

/** Principals of other namespaces than those that are asked for. */
function apart({ principals, namespaces }: Source): string | undefined {
  if (principals.values.length === 0 || namespaces.values.length === 0) return undefined;
  if (!namespaces.values.every(({ kind }) => kind === 'exact')) return undefined;
  const wanted = new Set(namespaces.values.map(writtenValue));
  const found = principals.values.map((value) => parsePrincipal(writtenValue(value))?.namespace);
  if (found.some((namespace) => namespace === undefined || wanted.has(namespace))) return undefined;
  return `the principals are of namespace ${some([...new Set(found)].map(String))}, and namespaces asks for ${some([...wanted])}`;
}

function sourceProblem(source: Source): string | undefined {
  for (const name of ['principals', 'namespaces', 'serviceAccounts', 'trustDomains', 'requestPrincipals'] as const) {
    if (excludesAll(source[name])) return `of ${name} ${EXCLUDED} not${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  }
  for (const name of ['ipBlocks', 'remoteIpBlocks'] as const) {
    if (excludesAllBlocks(source[name])) return `of ${name} ${EXCLUDED} not${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  }
  return apart(source);
}

function operationProblem(operation: Operation, when: readonly When[]): string | undefined {
  for (const name of ['hosts', 'methods', 'paths'] as const) {
    if (excludesAll(operation[name])) return `of ${name} ${EXCLUDED} not${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  }
  if (excludesAllPorts(operation.ports)) return `of ports ${EXCLUDED} notPorts`;
  const { values } = operation.ports;
  if (values.length === 0) return undefined;
  for (const { key, values: ports } of when) {
    if (key !== 'destination.port' || ports.values.length === 0) continue;
    if (!values.some((port) => ports.values.includes(String(port))))
      return `ports asks for ${some(values.map(String))}, and destination.port for ${some(ports.values)}`;
  }
  return undefined;
}

function isExact(value: string): boolean {
  return !value.startsWith('*') && !value.endsWith('*');
}

/** Keys that have one value in a request, so that two of them cannot be met at once. */
function hasOneValue(key: string): boolean {
  return !key.startsWith('request.') && key !== 'source.ip' && key !== 'remote.ip' && key !== 'destination.ip';
}

function whenProblem(when: readonly When[], at: number): string | undefined {
  const one = when[at];
  if (one === undefined || one.values.values.length === 0) return undefined;
  const { key, values } = one;
  if (values.values.every((value) => isExact(value) && values.notValues.includes(value)))
    return `of ${key} ${EXCLUDED} notValues`;
  if (!hasOneValue(key) || !values.values.every(isExact)) return undefined;
  const other = when.find(
    (earlier, index) =>
      index < at &&
      earlier.key === key &&
      earlier.values.values.length > 0 &&
      earlier.values.values.every(isExact) &&
      !earlier.values.values.some((value) => values.values.includes(value)),
  );
  return other === undefined ? undefined : `${key} cannot be ${some(other.values.values)} and ${some(values.values)} at once`;
}

function ofRule(policy: AuthorizationPolicy, rule: Rule, at: number): readonly Diagnostic[] {
  const root = `spec.rules[${at}]`;
  const problems = [
    ...rule.from.map((source, index) => ({ list: 'from', field: `${root}.from[${index}]`, why: sourceProblem(source) })),
    ...rule.to.map((operation, index) => ({
      list: 'to',
      field: `${root}.to[${index}]`,
      why: operationProblem(operation, rule.when),
    })),
  ];
  const whole = (list: string): boolean => {
    const own = problems.filter((problem) => problem.list === list);
    return own.every(({ why }) => why !== undefined);
  };
  const effect = policy.action === 'DENY' ? 'denies nothing' : 'never matches';
  return [
    ...problems.flatMap(({ list, field, why }) =>
      why === undefined
        ? []
        : [
            {
              field,
              message: `${why}; ${whole(list) ? `this rule ${effect}` : `this entry ${effect}, the others of ${list} do`}`,
            },
          ],
    ),
    ...rule.when.flatMap((_, index) => {
      const why = whenProblem(rule.when, index);
      return why === undefined ? [] : [{ field: `${root}.when[${index}]`, message: `${why}; this rule ${effect}` }];
    }),
  ].map(({ field, message }) =>
    finding(
      policy.meta,
      field,
      'warning',
      'never-matches',
      message,
      'conditions of one entry must all hold; put alternatives into entries of their own',
    ),
  );
}

/** Rules and entries whose conditions contradict each other. */
export function contradictions({ snapshot }: Survey): readonly Diagnostic[] {
  return snapshot.authorizationPolicies.flatMap((policy) => policy.rules.flatMap((rule, at) => ofRule(policy, rule, at)));
}
