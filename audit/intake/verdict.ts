import type { JsonObject } from '@bufbuild/protobuf';
import type { CustomAnswer, PolicyRule, Verdict } from '../model/record.ts';
import { askedOf } from './marks.ts';
import { parseMarkedName, parsePolicyName } from './policy-name.ts';

const DENIED = 'rbac_access_denied_matched_policy[';
const EFFECTIVE = 'enforced_effective_policy_id';
/** A network filter tells only which shadow rule matched, so our ALLOW filter has its rules there as well. */
const TCP_ALLOWED_BY = 'gatehouse_allowed_by_shadow_effective_policy_id';
/** What Envoy's filter for rate limits within one proxy says. */
const RATE_LIMITED = 'local_rate_limited';
const MAX_NAME = 512;

/** What a log entry says of the decision. HTTP: response_code_details; TCP: connection_termination_details. */
export interface Evidence {
  readonly details: string;
  /** Dynamic metadata of the RBAC filters, HTTP or network. */
  readonly rbac: JsonObject | undefined;
  /** The listener refused the connection: no filter chain for it, or no handshake. */
  readonly transportRefused: boolean;
  /** Why the proxy answered an HTTP request itself, when it did: a malformed request is refused before any filter sees it. */
  readonly answeredByProxy: string | undefined;
  /** The response flag UAEX; of a connection nothing else tells it. */
  readonly stoppedByProvider: boolean;
  /** ALLOW policies of the workload that decided; undefined when the workload is unknown. */
  readonly allowPolicies: readonly string[] | undefined;
}

/**
 * The rule that let the call through. Each RBAC filter writes its own key when it has a stat prefix; those of DENY, LOG
 * and AUDIT filters do not say who allowed. A name that is not a rule's is that of a matcher's fallback, so no rule's.
 */
function allowingRule(rbac: JsonObject | undefined): PolicyRule | undefined {
  const keys = Object.keys(rbac ?? {})
    .filter(
      (key) =>
        key === TCP_ALLOWED_BY || (key.endsWith(EFFECTIVE) && !/deny|log|audit|shadow/i.test(key.slice(0, -EFFECTIVE.length))),
    )
    .sort((a, b) => Number(b.includes('allow')) - Number(a.includes('allow')) || (a < b ? -1 : 1));
  for (const key of keys) {
    const value = rbac?.[key];
    const rule = typeof value === 'string' ? parsePolicyName(value) : undefined;
    if (rule) return rule;
  }
  return undefined;
}

function sorted(policies: readonly string[] | undefined): readonly string[] {
  return [...(policies ?? [])].sort();
}

function deniedBy(details: string, allowPolicies: readonly string[] | undefined): Verdict {
  const name = details.slice(DENIED.length, details.endsWith(']') ? -1 : undefined);
  if (name === 'none') return { kind: 'denied-no-rule', policies: sorted(allowPolicies) };
  const custom = parseMarkedName(name);
  if (custom !== undefined) return { kind: 'denied-custom', by: custom.by, provider: custom.provider, answer: 'nobody' };
  return { kind: 'denied-by-rule', by: parsePolicyName(name) ?? { policy: name.slice(0, MAX_NAME), rule: undefined } };
}

/** Providers are asked one after the other, and the first that does not allow is the last that was asked. */
function deniedByProvider(rbac: JsonObject | undefined, answer: CustomAnswer): Verdict {
  const asked = askedOf(rbac).at(-1);
  return asked === undefined
    ? { kind: 'denied-custom' }
    : { kind: 'denied-custom', by: asked.by, provider: asked.provider, answer };
}

/** Reads the decision out of a log entry of the deciding proxy. */
export function verdictOf(evidence: Evidence): Verdict {
  const { details, allowPolicies } = evidence;
  if (details.startsWith(DENIED)) return deniedBy(details, allowPolicies);
  if (details.startsWith('jwt_authn_access_denied')) return { kind: 'denied-token' };
  if (details.startsWith('ext_authz_'))
    return deniedByProvider(evidence.rbac, details === 'ext_authz_error' ? 'failed' : 'denied');
  if (evidence.stoppedByProvider) return deniedByProvider(evidence.rbac, 'stopped');
  if (evidence.transportRefused) return { kind: 'denied-transport' };
  // Held back before policies were asked, or after they allowed it.
  if (details === RATE_LIMITED) return { kind: 'unreached', cause: RATE_LIMITED };
  const by = allowingRule(evidence.rbac);
  if (by) return { kind: 'allowed-by-rule', by };
  if (allowPolicies?.length === 0) return { kind: 'allowed-no-policy' };
  // Of HTTP requests the filter names each that it allows, so an unnamed one that went nowhere was not allowed either.
  if (evidence.answeredByProxy !== undefined) return { kind: 'unreached', cause: evidence.answeredByProxy };
  return { kind: 'allowed-unnamed', policies: sorted(allowPolicies) };
}
