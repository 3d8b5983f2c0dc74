import type { Random } from './random.ts';

/** Something that takes untrusted input. */
export interface Target {
  readonly name: string;
  /**
   * Makes one input, tells it, and gives it to the code. Whatever it throws is a finding; so is what the code accepts and must not.
   * @returns what became of it, for the counts
   */
  run(random: Random, told: (input: string | Uint8Array) => void): Promise<'refused' | 'accepted'>;
  close(): Promise<void>;
}

export interface TargetMaker {
  readonly name: string;
  readonly open: () => Promise<Target>;
}
