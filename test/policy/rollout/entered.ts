import type { NamespaceRollout, Stage } from '../../../mesh/model/namespace-rollout.ts';
import type { DeniedCall, Evidence } from '../../../policy/rollout/evidence.ts';
import type { RolloutState } from '../../../policy/rollout/state.ts';
import { policy } from '../model.ts';
import { advance, at, call, decided, done, evidence, T0 } from './scenario.ts';

export const MINUTE = 60_000;
export const own = { 'gatehouse.dev/rollout': 'shop' };

/** The policies that a state's objects come to, as the snapshot has them. */
export function there(state: RolloutState, found: Evidence): Evidence {
  const authorizationPolicies = state.objects
    .filter(({ kind }) => kind === 'AuthorizationPolicy')
    .map(({ metadata }) => {
      const one = policy('shop', metadata.name, { dryRun: metadata.annotations !== undefined });
      return { ...one, meta: { ...one.meta, labels: own } };
    });
  return {
    ...found,
    configured: {
      ...found.configured,
      authorizationPolicies: [...found.configured.authorizationPolicies, ...authorizationPolicies],
    },
  };
}

export const denied = (count: number, fields: Parameters<typeof call>[0] = {}, more: Partial<DeniedCall> = {}): DeniedCall => ({
  call: call({ decision: 'DENY', count, firstSeen: T0 + 1, lastSeen: T0 + 2, ...fields }),
  policy: undefined,
  revoked: false,
  ...more,
});

/** At a stage that was just entered. */
export function justEntered(stage: Exclude<Stage, 'observe'>, on: NamespaceRollout): RolloutState {
  const before = at(stage === 'strict' ? 'observe' : stage === 'dry-run' ? 'strict' : 'dry-run', on);
  return done(decided(before, on, evidence(T0), advance({ force: true, reason: 'test' })), on, T0);
}
