import type { JsonObject } from '@bufbuild/protobuf';
import type { Mark } from '../model/mark.ts';
import type { Verdict } from '../model/record.ts';
import { parseMarkedName, parsePolicyName } from './policy-name.ts';

const ASKED = /^istio_ext_authz_.+_shadow_effective_policy_id$/;

function text(rbac: JsonObject, key: string): string | undefined {
  const value = rbac[key];
  return typeof value === 'string' ? value : undefined;
}

/** Whom CUSTOM policies had asked, in the order of asking. */
export function askedOf(rbac: JsonObject | undefined): readonly Extract<Mark, { readonly kind: 'asked' }>[] {
  if (rbac === undefined) return [];
  return Object.keys(rbac)
    .filter((key) => ASKED.test(key))
    .flatMap((key) => {
      const found = parseMarkedName(text(rbac, key) ?? '');
      return found === undefined ? [] : [{ kind: 'asked', by: found.by, provider: found.provider } as const];
    })
    .sort((one, other) => (one.provider < other.provider ? -1 : one.provider > other.provider ? 1 : 0));
}

/** The AUDIT rule; a network filter notes it among its shadow rules. */
function audited(rbac: JsonObject): readonly Mark[] {
  const name =
    text(rbac, 'gatehouse_audit_enforced_effective_policy_id') ?? text(rbac, 'gatehouse_audit_shadow_effective_policy_id');
  const by = parsePolicyName(name ?? '');
  return by === undefined ? [] : [{ kind: 'audited', by }];
}

/** What dry runs would have changed. Of a call that is denied anyway, what would deny it too says nothing. */
function dryRun(rbac: JsonObject, verdict: Verdict): readonly Mark[] {
  const denied = verdict.kind.startsWith('denied');
  const marks: Mark[] = [];
  const deny = parsePolicyName(text(rbac, 'istio_dry_run_deny_shadow_effective_policy_id') ?? '');
  if (deny !== undefined && !denied) marks.push({ kind: 'would-deny', by: deny });
  const allow = parsePolicyName(text(rbac, 'istio_dry_run_allow_shadow_effective_policy_id') ?? '');
  const result = text(rbac, 'istio_dry_run_allow_shadow_engine_result');
  if (allow !== undefined && verdict.kind === 'denied-no-rule') marks.push({ kind: 'would-allow', by: allow });
  // Beside ALLOW policies that are in force a dry run can only allow more.
  if (result === 'denied' && !denied && allowedByNone(verdict)) marks.push({ kind: 'would-deny-no-rule' });
  return marks;
}

function allowedByNone(verdict: Verdict): boolean {
  return verdict.kind === 'allowed-no-policy' || (verdict.kind === 'allowed-unnamed' && verdict.policies.length === 0);
}

/** @param rbac the dynamic metadata of the RBAC filters, HTTP or network */
export function marksOf(rbac: JsonObject | undefined, verdict: Verdict): readonly Mark[] {
  return rbac === undefined ? [] : [...askedOf(rbac), ...audited(rbac), ...dryRun(rbac, verdict)];
}
