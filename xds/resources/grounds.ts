import type { RevokedPeers } from '../../ca/revocation/list.ts';
import type { Labels } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { askedIn } from '../../policy/compile/custom/filters.ts';
import type { KnownKeys } from '../../policy/jwks/known.ts';
import { keptBy } from '../../policy/kept.ts';
import { ofNamespace as tokenRules } from '../../policy/request-authentication/applying.ts';
import { ofNamespace as policies } from '../../policy/select-index.ts';
import { ofNamespace as rateLimits } from '../../routing/rate-limit/applying.ts';
import { CLUSTERS } from './custom-slots.ts';

export interface SecurityInputs {
  readonly snapshot: Snapshot;
  readonly workload: Workload;
  readonly revoked: RevokedPeers;
  readonly keys: KnownKeys;
}

/** Stands for all that decides over the workloads of a namespace, apart from their labels. */
type Grounds = Readonly<Record<string, never>>;

/** The lists that policy is chosen from are the same arrays as long as nothing in them changes, so their identities say all. */
const grounds = keptBy((..._decides: readonly object[]): Grounds => Object.freeze({}));

interface OfSnapshot {
  readonly revoked: RevokedPeers;
  readonly keys: KnownKeys;
  readonly byNamespace: Map<string, Grounds>;
}

/** So that what is the same for all workloads of a namespace is looked up once. */
const ofSnapshot = new WeakMap<Snapshot, OfSnapshot>();

function groundsOf({ snapshot, workload, revoked, keys }: SecurityInputs): Grounds {
  const before = ofSnapshot.get(snapshot);
  const own =
    before?.revoked === revoked && before.keys === keys ? before : { revoked, keys, byNamespace: new Map<string, Grounds>() };
  if (own !== before) ofSnapshot.set(snapshot, own);
  const { namespace } = workload;
  const known = own.byNamespace.get(namespace);
  if (known !== undefined) return known;
  const { meshConfig, authorizationPolicies, requestAuthentications, rateLimits: limits } = snapshot;
  const root = meshConfig.rootNamespace;
  const made = grounds(
    meshConfig,
    revoked,
    keys,
    askedIn(snapshot, CLUSTERS),
    policies(authorizationPolicies, root),
    tokenRules(requestAuthentications, root),
    rateLimits(limits, root),
    // The root namespace's own workloads are chosen for otherwise: a target there is a gateway of theirs.
    namespace === root ? IN_ROOT : ELSEWHERE,
    policies(authorizationPolicies, namespace),
    tokenRules(requestAuthentications, namespace),
    rateLimits(limits, namespace),
  );
  own.byNamespace.set(namespace, made);
  return made;
}

const IN_ROOT = Object.freeze({});
const ELSEWHERE = Object.freeze({});

/**
 * Keeps what is made for a workload as long as nothing that may decide over it changes: policies, token rules and rate limits of its
 * namespace and of the root namespace, keys, revocations, authorizers, mesh configuration, its labels. `make` must look at nothing else.
 */
export function memoisedByGrounds<Made extends object>(make: (inputs: SecurityInputs) => Made): (inputs: SecurityInputs) => Made {
  const memory = new WeakMap<Grounds, WeakMap<Labels, Made>>();
  return (inputs) => {
    const decides = groundsOf(inputs);
    const kept = memory.get(decides) ?? new WeakMap<Labels, Made>();
    memory.set(decides, kept);
    const { labels } = inputs.workload;
    const known = kept.get(labels);
    if (known !== undefined) return known;
    const made = make(inputs);
    kept.set(labels, made);
    return made;
  };
}
