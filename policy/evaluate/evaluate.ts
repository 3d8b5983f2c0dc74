import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { type MtlsSetting, mtlsSetting, workloadMtlsSetting } from '../peer-authentication/mode.ts';
import { policiesFor } from '../select.ts';
import { type Facts, factsOf } from './facts.ts';
import type { Request } from './request.ts';
import { decideRule } from './rule.ts';

/** The answer to one question and why. `policy` is `namespace/name`; both are undefined when no single rule decided. */
export interface Verdict {
  readonly decision: 'ALLOW' | 'DENY';
  readonly policy: string | undefined;
  /** Counts from 0, in the order written. */
  readonly rule: number | undefined;
  readonly reason: string;
}

interface Match {
  readonly policy: AuthorizationPolicy;
  readonly rule: number;
}

/** The first rule that matches, in the byte order of the names under which Envoy knows them: what the access log will say. */
function firstMatch(policies: readonly AuthorizationPolicy[], facts: Facts): Match | undefined {
  const matches = policies.flatMap((policy) =>
    policy.rules.flatMap((one, rule) => (decideRule(policy, one, facts).matches ? [{ policy, rule }] : [])),
  );
  let first: Match | undefined;
  for (const match of matches) {
    if (first === undefined || logged(match) < logged(first)) first = match;
  }
  return first;
}

/** `ns[NAMESPACE]-policy[NAME]-rule[N]`; Kubernetes names are ASCII, so that this order is that of the bytes. */
function logged({ policy: { meta }, rule }: Match): string {
  return `ns[${meta.namespace}]-policy[${meta.name}]-rule[${rule}]`;
}

function decided(decision: 'ALLOW' | 'DENY', { policy, rule }: Match, reason: string): Verdict {
  return { decision, policy: keyOf(policy.meta), rule, reason };
}

/** Why no ALLOW policy let the request in: those that applied, and the condition by which the nearest rule failed. */
function nearestMiss(policies: readonly AuthorizationPolicy[], facts: Facts): string {
  const names = policies.map(({ meta }) => keyOf(meta)).join(', ');
  let nearest: { readonly name: string; readonly met: number; readonly why: string } | undefined;
  for (const policy of policies) {
    for (const [index, rule] of policy.rules.entries()) {
      const found = decideRule(policy, rule, facts);
      if (nearest === undefined || found.met > nearest.met) {
        nearest = { name: `${keyOf(policy.meta)} rule ${index}`, met: found.met, why: found.why };
      }
    }
  }
  const miss = nearest === undefined ? 'none of them has a rule' : `nearest is ${nearest.name}: ${nearest.why}`;
  return `ALLOW policies apply (${names}) and no rule of theirs matches; ${miss}`;
}

/** Envoy compares the URI SANs of a certificate as one text; a comma could hide a second identity in it. */
function inDoubt(peer: string | undefined): boolean {
  return peer !== undefined && (peer === '' || peer.includes(','));
}

function authorize(snapshot: Snapshot, request: Request, facts: Facts): Verdict {
  const inForce = policiesFor(snapshot, request.destination).filter(({ dryRun }) => !dryRun);
  const denying = inForce.filter(({ action }) => action === 'DENY' || action === 'CUSTOM');
  const allowing = inForce.filter(({ action }) => action === 'ALLOW');
  const governed = denying.length + allowing.length > 0;
  if (
    governed &&
    (inDoubt(facts.peer) || (request.source.principal !== undefined && !request.source.principal.startsWith('spiffe://')))
  ) {
    return {
      decision: 'DENY',
      policy: undefined,
      rule: undefined,
      reason: "the peer's certificate does not hold exactly one SPIFFE ID",
    };
  }
  const denial = firstMatch(denying, facts);
  if (denial !== undefined) {
    const what =
      denial.policy.action === 'CUSTOM'
        ? 'CUSTOM policies are not asked yet, so what they match is denied'
        : 'a DENY rule matches';
    return decided('DENY', denial, `${what}: ${keyOf(denial.policy.meta)} rule ${denial.rule}`);
  }
  if (allowing.length === 0) {
    return {
      decision: 'ALLOW',
      policy: undefined,
      rule: undefined,
      reason: 'no ALLOW policy applies, so what is not denied is allowed',
    };
  }
  const grant = firstMatch(allowing, facts);
  if (grant !== undefined)
    return decided('ALLOW', grant, `an ALLOW rule matches: ${keyOf(grant.policy.meta)} rule ${grant.rule}`);
  return { decision: 'DENY', policy: undefined, rule: undefined, reason: nearestMiss(allowing, facts) };
}

function settingFor(snapshot: Snapshot, { destination }: Request): MtlsSetting {
  const { port } = destination;
  return port === undefined ? workloadMtlsSetting(snapshot, destination) : mtlsSetting(snapshot, destination, port);
}

/**
 * Decides one request as the mesh would, PeerAuthentication first: this is the second, independent reading of the same
 * policies that policy/compile turns into Envoy's configuration; a test holds the two together. A caller with an
 * identity talks in plain text to a port whose mode is DISABLE, and so is nobody there.
 */
export function evaluate(snapshot: Snapshot, request: Request): Verdict {
  const setting = settingFor(snapshot, request);
  const by = setting.setBy === undefined ? 'the default' : `PeerAuthentication ${setting.setBy}`;
  if (setting.mode === 'STRICT' && request.source.principal === undefined) {
    return {
      decision: 'DENY',
      policy: setting.setBy,
      rule: undefined,
      reason: `the call is in plain text and ${by} asks for mutual TLS (STRICT)`,
    };
  }
  const encrypted = setting.mode !== 'DISABLE';
  const verdict = authorize(snapshot, request, factsOf(request, snapshot.meshConfig, encrypted));
  if (encrypted || request.source.principal === undefined) return verdict;
  return { ...verdict, reason: `${verdict.reason} (${by} turns mutual TLS off, so the caller is not authenticated)` };
}
