import type {
  AuthorizationPolicy,
  Condition,
  Operation,
  PolicyMatch,
  Rule,
  Source,
} from '../../mesh/model/authorization-policy.ts';
import { inBlock } from './address.ts';
import { type Check, type Finding, checksOf, conjunction, disjunction } from './check.ts';
import type { Facts } from './facts.ts';
import { isNamespace, isPrincipal, isServiceAccount } from './peer.ts';
import { isText, written } from './text.ts';
import { isRequestPrincipal } from './token.ts';
import { type Truth, both, settle } from './truth.ts';
import { asksForHttp, shown, shownPeer, whenChecks } from './when.ts';

const identity = <T>(value: T): T => value;

function given(field: Condition<unknown>): boolean {
  return field.values.length + field.notValues.length > 0;
}

/** On TCP a field of HTTP is undecided, whatever it says. */
function httpChecks(
  name: string,
  field: Condition<PolicyMatch>,
  actual: string,
  facts: Facts,
  matches: (value: PolicyMatch) => Truth,
): readonly Check[] {
  if (!given(field)) return [];
  if (!facts.http) return [{ truth: 'unknown', why: `${name} does not exist on TCP` }];
  return checksOf(name, field, actual, written, matches);
}

function sourceChecks(from: Source, facts: Facts, ownNamespace: string): readonly Check[] {
  const peer = shownPeer(facts);
  return [
    ...checksOf('principals', from.principals, peer, written, (value) => isPrincipal(value, facts.peer, facts.meshConfig)),
    ...checksOf('namespaces', from.namespaces, peer, written, (value) => isNamespace(value, facts.peer)),
    ...checksOf('serviceAccounts', from.serviceAccounts, peer, written, (value) =>
      isServiceAccount(value, facts.peer, ownNamespace),
    ),
    ...checksOf('ipBlocks', from.ipBlocks, shown(facts.ip), identity, (value) => inBlock(value, facts.ip)),
    ...checksOf('remoteIpBlocks', from.remoteIpBlocks, shown(facts.remoteIp), identity, (value) =>
      inBlock(value, facts.remoteIp),
    ),
    ...httpChecks(
      'requestPrincipals',
      from.requestPrincipals,
      facts.token === undefined ? 'no token' : 'the token',
      facts,
      (value) => isRequestPrincipal(facts.token, value),
    ),
  ];
}

function lowered(value: PolicyMatch): PolicyMatch {
  return value.kind === 'present' ? value : { kind: value.kind, value: value.value.toLowerCase() };
}

/** Hosts ignore case. Whether `a.example` also means `a.example:8080` cannot be told, so it never helps the caller. */
function isHost(value: PolicyMatch, host: string | undefined): Truth {
  if (host === undefined) return false;
  if (value.kind === 'present') return true;
  const wanted = lowered(value);
  const actual = host.toLowerCase();
  if (isText(wanted, actual)) return true;
  const portless = /^(.*):[0-9]*$/s.exec(actual)?.[1];
  if (portless === undefined || value.value === '' || value.value.includes(':')) return false;
  return (value.kind === 'exact' || value.kind === 'suffix') && isText(wanted, portless) ? 'unknown' : false;
}

function operationChecks(to: Operation, facts: Facts): readonly Check[] {
  const { host, method, path } = facts;
  return [
    ...checksOf('ports', to.ports, shown(facts.port), identity, (value) => value === facts.port),
    ...httpChecks('hosts', to.hosts, shown(host), facts, (value) => isHost(value, host)),
    ...httpChecks('methods', to.methods, shown(method), facts, (value) => method !== undefined && isText(value, method)),
    ...httpChecks(
      'paths',
      to.paths,
      shown(path),
      facts,
      (value) => path !== undefined && (value.kind === 'present' || isText(value, path)),
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

export interface RuleFinding {
  readonly matches: boolean;
  /** How many conditions hold, for finding the rule that comes nearest. */
  readonly met: number;
  /** The condition that does not hold, when it does not match. */
  readonly why: string;
}

/** Decides one rule: a source, an operation and every condition must hold. */
export function decideRule(policy: AuthorizationPolicy, rule: Rule, facts: Facts): RuleFinding {
  const allows = policy.action === 'ALLOW';
  if (allows && !facts.http && ofHttp(rule)) {
    return { matches: false, met: 0, why: 'it asks for what only HTTP has, and this port is TCP' };
  }
  const parts: readonly Finding[] = [
    disjunction(rule.from.map((from) => conjunction(sourceChecks(from, facts, policy.meta.namespace)))),
    disjunction(rule.to.map((to) => conjunction(operationChecks(to, facts)))),
    ...rule.when.map((when) => conjunction(whenChecks(when, facts, policy.meta.namespace))),
  ];
  const truth = both(parts.map((part) => part.truth));
  const broken = parts.find((part) => part.truth === false) ?? parts.find((part) => part.truth === 'unknown');
  return {
    matches: settle(truth, allows),
    // A rule about this very operation is nearer than one about this caller.
    met: parts.reduce((sum, part) => sum + part.met, 0) + (parts[1]?.truth === true && rule.to.length > 0 ? 1 : 0),
    why: broken?.why ?? '',
  };
}
