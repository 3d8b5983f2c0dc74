import type { Reason } from '../reason.ts';

/** A condition as the Kubernetes API has them, without the time and generation of its writing. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/** Named after its type where all is well. */
export function holds(type: string, message: string, reason = type): Condition {
  return { type, status: 'True', reason, message };
}

export function fails(type: string, { reason, message }: Reason): Condition {
  return { type, status: 'False', reason, message };
}

export function either(type: string, problem: Reason | undefined, message: string): Condition {
  return problem === undefined ? holds(type, message) : fails(type, problem);
}
