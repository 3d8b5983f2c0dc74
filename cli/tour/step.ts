import type { TourMesh } from './mesh.ts';
import type { RolloutCommands } from './rollout/commands.ts';
import type { Customers } from './rollout/customers.ts';

export interface TourContext {
  readonly mesh: TourMesh;
  /** The folder of YAML that the mesh runs from. */
  readonly folder: string;
  readonly auditFile: string;
  readonly customers: Customers;
  readonly rollout: RolloutCommands;
  /** What the gates of the rollout ask for, as `5s`. */
  readonly observedFor: string;
  /** Tells of what is done, between a title and what was seen. */
  readonly say: (line: string) => void;
}

/** One thing shown on the tour. `seen` is what was observed, in a few words. */
export interface StepResult {
  readonly ok: boolean;
  readonly seen: string;
}

export interface Step {
  readonly name: string;
  readonly title: string;
  readonly run: (context: TourContext) => Promise<StepResult>;
}
