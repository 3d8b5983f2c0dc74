import type {
  AuthorizationPolicy,
  Condition,
  Operation,
  PolicyMatch,
  Rule,
  Source,
} from '../../mesh/model/authorization-policy.ts';
import { inBlocks } from './address.ts';
import { type Alternatives, type Check, type Failure, checksOf, nearestOf, oneHolds, undecided } from './check.ts';
import type { Facts } from './facts.ts';
import { isNamespace, isServiceAccount, isTrustDomain, principalTest } from './peer.ts';
import { isOneOf, isText, written } from './text.ts';
import { requestPrincipalTest } from './token.ts';
import { type Truth, both, either, settle } from './truth.ts';
import { type Context, asksForHttp, shown, shownPeer, shownToken, whenChecks } from './when.ts';

const identity = <T>(value: T): T => value;

function given(field: Condition<unknown>): boolean {
  return field.values.length + field.notValues.length > 0;
}

/** On TCP a field of HTTP is undecided, whatever it says. */
function httpChecks(
  name: string,
  field: Condition<PolicyMatch>,
  actual: (facts: Facts) => string,
  http: boolean,
  matches: (values: readonly PolicyMatch[]) => (facts: Facts) => Truth,
): readonly Check[] {
  if (!given(field)) return [];
  return http ? checksOf(name, field, actual, written, matches) : [undecided(name, `${name} does not exist on TCP`)];
}

/** A test of what the facts hold, if they hold it. */
function on<T>(read: (facts: Facts) => T | undefined, test: (value: T) => Truth): (facts: Facts) => Truth {
  return (facts) => {
    const value = read(facts);
    return value === undefined ? false : test(value);
  };
}

function addresses(name: string, field: Condition<string>, read: (facts: Facts) => string | undefined): readonly Check[] {
  return checksOf(
    name,
    field,
    (facts) => shown(read(facts)),
    identity,
    (blocks) => on(read, inBlocks(blocks)),
  );
}

function sourceChecks(from: Source, { meshConfig, namespace }: Context, http: boolean): readonly Check[] {
  const peer = ({ peer }: Facts): string | undefined => peer;
  return [
    ...checksOf('principals', from.principals, shownPeer, written, (values) => on(peer, principalTest(values, meshConfig))),
    ...checksOf('namespaces', from.namespaces, shownPeer, written, (values) =>
      on(peer, (id) => values.some((value) => isNamespace(value, id))),
    ),
    // Undecided values count for nobody too.
    ...checksOf(
      'serviceAccounts',
      from.serviceAccounts,
      shownPeer,
      written,
      (values) => (facts) => either(values, (value) => isServiceAccount(value, facts.peer, namespace)),
    ),
    ...checksOf('trustDomains', from.trustDomains, shownPeer, written, (values) =>
      on(peer, (id) => values.some((value) => isTrustDomain(value, id))),
    ),
    ...addresses('ipBlocks', from.ipBlocks, ({ ip }) => ip),
    ...addresses('remoteIpBlocks', from.remoteIpBlocks, ({ remoteIp }) => remoteIp),
    ...httpChecks('requestPrincipals', from.requestPrincipals, shownToken, http, (values) => {
      const test = requestPrincipalTest(values);
      return ({ token }) => test(token);
    }),
  ];
}

function lowered(value: PolicyMatch): PolicyMatch {
  return value.kind === 'present' ? value : { kind: value.kind, value: value.value.toLowerCase() };
}

/** Hosts ignore case. Whether `a.example` also means `a.example:8080` cannot be told, so it never helps the caller. */
function isHost(value: PolicyMatch, host: string): Truth {
  if (value.kind === 'present') return true;
  const wanted = lowered(value);
  const actual = host.toLowerCase();
  if (isText(wanted, actual)) return true;
  const portless = /^(.*):[0-9]*$/s.exec(actual)?.[1];
  if (portless === undefined || value.value === '' || value.value.includes(':')) return false;
  return (value.kind === 'exact' || value.kind === 'suffix') && isText(wanted, portless) ? 'unknown' : false;
}

/** A path may be empty, and is there all the same. */
function pathTest(values: readonly PolicyMatch[]): (path: string) => boolean {
  return values.some(({ kind }) => kind === 'present') ? () => true : isOneOf(values);
}

function operationChecks(to: Operation, http: boolean): readonly Check[] {
  return [
    ...checksOf(
      'ports',
      to.ports,
      ({ port }) => shown(port),
      identity,
      (values) => {
        const ports = new Set(values);
        return ({ port }) => port !== undefined && ports.has(port);
      },
    ),
    ...httpChecks(
      'hosts',
      to.hosts,
      ({ host }) => shown(host),
      http,
      (values) =>
        on(
          ({ host }) => host,
          (host) => either(values, (value) => isHost(value, host)),
        ),
    ),
    ...httpChecks(
      'methods',
      to.methods,
      ({ method }) => shown(method),
      http,
      (values) => on(({ method }) => method, isOneOf(values)),
    ),
    ...httpChecks(
      'paths',
      to.paths,
      ({ path }) => shown(path),
      http,
      (values) => on(({ path }) => path, pathTest(values)),
    ),
  ];
}

function ofHttp(rule: Rule): boolean {
  return (
    rule.when.some(asksForHttp) ||
    rule.from.some((from) => given(from.requestPrincipals)) ||
    rule.to.some((to) => given(to.hosts) || given(to.methods) || given(to.paths))
  );
}

/** How near a rule came. */
export interface RuleFinding {
  readonly truth: Truth;
  /** Whether it counts as matching; what cannot be decided counts against the caller. */
  readonly matches: boolean;
  /** How many conditions hold, of how many. */
  readonly met: number;
  readonly of: number;
  /** For finding the rule that comes nearest. */
  readonly nearness: number;
  /** The condition that does not hold, if one does not. */
  readonly failed: Failure | undefined;
}

/** One rule, ready to be asked of any request. */
export interface PreparedRule {
  readonly index: number;
  readonly allows: boolean;
  /** It allows, and asks for what only HTTP has. */
  readonly neverOnTcp: boolean;
  readonly hasOperations: boolean;
  /** Sources, operations, and each condition. */
  readonly parts: (http: boolean) => readonly Alternatives[];
  /** The conditions alone. */
  readonly conditions: (http: boolean) => readonly Alternatives[];
  readonly matches: (facts: Facts) => boolean;
  /** The same answer with all that people want to know of it. */
  readonly find: (facts: Facts) => RuleFinding;
}

/** A rule about this very operation is nearer than one about this caller. */
export function nearnessBonus({ hasOperations }: Pick<PreparedRule, 'hasOperations'>, operations: Truth): number {
  return operations === true && hasOperations ? 1 : 0;
}

const ONLY_HTTP = Object.freeze({ at: '', field: '', why: 'it asks for what only HTTP has, and this port is TCP' });

function partsOf(rule: Rule, context: Context, http: boolean): readonly Alternatives[] {
  return [
    rule.from.map((from, index) => ({ at: `from[${index}]`, checks: sourceChecks(from, context, http) })),
    rule.to.map((to, index) => ({ at: `to[${index}]`, checks: operationChecks(to, http) })),
    ...rule.when.map((when, index) => [{ at: `when[${index}]`, checks: whenChecks(when, context, http) }]),
  ];
}

/** A rule holds when a source, an operation and every condition hold. */
export function prepareRule(
  policy: AuthorizationPolicy,
  index: number,
  rule: Rule,
  meshConfig: Context['meshConfig'],
): PreparedRule {
  const allows = policy.action === 'ALLOW';
  const context = { meshConfig, namespace: policy.meta.namespace };
  const onHttp = partsOf(rule, context, true);
  const onTcp = partsOf(rule, context, false);
  const neverOnTcp = allows && ofHttp(rule);
  const conditionsOnHttp = onHttp.slice(2);
  const conditionsOnTcp = onTcp.slice(2);
  const parts = (onlyHttp: boolean): readonly Alternatives[] => (onlyHttp ? onHttp : onTcp);
  const truth = (facts: Facts): Truth =>
    !facts.http && neverOnTcp ? false : both(parts(facts.http), (alternatives) => oneHolds(alternatives, facts));
  const hasOperations = rule.to.length > 0;
  return {
    index,
    allows,
    neverOnTcp,
    hasOperations,
    parts,
    conditions: (onlyHttp) => (onlyHttp ? conditionsOnHttp : conditionsOnTcp),
    matches: (facts) => settle(truth(facts), allows),
    find: (facts) => {
      const found = truth(facts);
      const findings = parts(facts.http).map((alternatives) => nearestOf(alternatives, facts));
      const common = { truth: found, matches: settle(found, allows), of: findings.reduce((sum, part) => sum + part.of, 0) };
      if (!facts.http && neverOnTcp) return { ...common, met: 0, nearness: 0, failed: ONLY_HTTP };
      const met = findings.reduce((sum, part) => sum + part.met, 0);
      const broken = findings.find((part) => part.truth === false) ?? findings.find((part) => part.truth === 'unknown');
      const nearness = met + nearnessBonus({ hasOperations }, findings[1]?.truth ?? false);
      return {
        ...common,
        met,
        nearness,
        get failed() {
          return broken?.failed;
        },
      };
    },
  };
}
