import type { TourMesh } from './mesh.ts';

export interface TourContext {
  readonly mesh: TourMesh;
  /** The folder of YAML that the mesh runs from. */
  readonly folder: string;
  readonly auditFile: string;
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
