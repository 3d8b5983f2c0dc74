import { createHash } from 'node:crypto';
import { keyOf, type Meta } from '../../mesh/model/object.ts';
import type { NamespaceRollout } from '../../mesh/model/namespace-rollout.ts';
import type { Configured } from './evidence.ts';
import { DRY_RUN_ANNOTATION, isOwn } from './objects.ts';
import type { ForeignPolicy } from './state.ts';

/** On a policy that is meant to cut off who was let through before, as after a break-in: its denials take nothing back. */
export const INTENDED_ANNOTATION = 'gatehouse.dev/intended-denials';

type Policy = { readonly meta: Meta };

/** Policies that concern the namespace and are not the rollout's. */
function foreign(rollout: NamespaceRollout, configured: Configured): readonly Policy[] {
  const { authorizationPolicies, peerAuthentications, requestAuthentications } = configured;
  return [...authorizationPolicies, ...peerAuthentications, ...requestAuthentications].filter(
    (policy) => !isOwn(policy, rollout),
  );
}

const nameOf = ({ meta }: Policy): string => `${meta.kind} ${keyOf(meta)}`;

/** What each policy of others is like: the same text as long as it means the same. */
export function fingerprints(rollout: NamespaceRollout, configured: Configured): Readonly<Record<string, string>> {
  const sorted = [...foreign(rollout, configured)].sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
  return Object.fromEntries(sorted.map((policy) => [nameOf(policy), fingerprint(policy)]));
}

/** Objects that did not change are the same from one snapshot to the next. */
const known = new WeakMap<Policy, string>();

function fingerprint(policy: Policy): string {
  const before = known.get(policy);
  if (before !== undefined) return before;
  const { meta, ...rest } = policy;
  const text = JSON.stringify({ ...rest, annotations: meta.annotations[DRY_RUN_ANNOTATION] }, (_, value: unknown) =>
    value instanceof Map ? [...value.entries()] : value,
  );
  const made = createHash('sha256').update(text).digest('base64url').slice(0, 16);
  known.set(policy, made);
  return made;
}

/** Which of them came, changed or went, by name. */
export function changedSince(known: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): readonly string[] {
  const names = new Set([...Object.keys(known), ...Object.keys(now)]);
  return [...names].filter((name) => known[name] !== now[name]).sort();
}

/** Those of the changed ones that a rollback may set to dry-run: of the namespace itself, enforced, and not meant to deny. */
export function suspectsAmong(
  changed: readonly string[],
  rollout: NamespaceRollout,
  configured: Configured,
): readonly ForeignPolicy[] {
  const names = new Set(changed);
  return configured.authorizationPolicies
    .filter((policy) => policy.meta.namespace === rollout.meta.namespace && names.has(nameOf(policy)) && !isOwn(policy, rollout))
    .filter(({ dryRun, action, meta }) => !dryRun && action !== 'AUDIT' && meta.annotations[INTENDED_ANNOTATION] !== 'true')
    .map(({ meta }) => ({ namespace: meta.namespace, name: meta.name }));
}

export function intendedPolicies({ authorizationPolicies }: Configured): ReadonlySet<string> {
  return new Set(
    authorizationPolicies.filter(({ meta }) => meta.annotations[INTENDED_ANNOTATION] === 'true').map(({ meta }) => keyOf(meta)),
  );
}
