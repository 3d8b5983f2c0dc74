/**
 * Why a record that a proxy sent is not in the store. `agent-queue-full`: the agent beside the proxy had no room while the control plane was
 * away; it counted them and told of it later. `refused`: an agent passed on the log of a proxy that is not of its identity.
 */
export const LOSS_REASONS = Object.freeze(['queue-full', 'agent-queue-full', 'malformed', 'refused', 'shutdown'] as const);
export type LossReason = (typeof LOSS_REASONS)[number];

/** Records lost within a minute; kept in the store beside the edges, so that no report looks more complete than it is. */
export interface Loss {
  readonly minute: number;
  readonly reason: LossReason;
  readonly count: number;
}

export function isLossReason(text: string): text is LossReason {
  return LOSS_REASONS.some((reason) => reason === text);
}
