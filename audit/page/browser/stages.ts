import type { Stage } from '../../../mesh/model/namespace-rollout.ts';

/** In the order in which they are entered; the compiler holds that none is missing. */
export const STAGE_NAMES: Readonly<Record<Stage, string>> = Object.freeze({
  observe: 'observe',
  strict: 'strict',
  'dry-run': 'dry run',
  enforce: 'enforce',
});

export const TRACK: readonly { readonly stage: Stage; readonly does: string }[] = Object.freeze([
  { stage: 'observe', does: 'calls are recorded, nothing is refused' },
  { stage: 'strict', does: 'callers without mutual TLS are refused' },
  { stage: 'dry-run', does: 'policies are tried: what they would deny is noted' },
  { stage: 'enforce', does: 'what no policy allows is refused' },
]);

export function stageIndex(stage: Stage): number {
  return TRACK.findIndex((one) => one.stage === stage);
}
