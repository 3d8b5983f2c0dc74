export type * from '../../../policy/rollout/ports.ts';
