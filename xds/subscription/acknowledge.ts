import type { TypeUrl } from '../resource-set.ts';
import { sentWhole } from './due.ts';
import type { Report, Variant } from './event.ts';
import { WHOLE_TYPE } from './state.ts';
import type { TypeState } from './state.ts';

export interface Acknowledged {
  readonly of: TypeState;
  readonly reports: readonly Report[];
  /** The nonce was that of an outstanding response. */
  readonly matched: boolean;
}

/**
 * Takes an ACK or a NACK. An accepted resource is no longer rejected. A rejected one stays counted as sent, so that it
 * goes out again only when its bytes change; what the client had before stays in force there. Where several were
 * rejected at once only one may be bad, and Envoy may have applied none of them: they go out again in halves until the
 * bad one stands alone.
 */
export function acknowledge(
  variant: Variant,
  type: TypeUrl,
  of: TypeState,
  nonce: string,
  error: string | undefined,
): Acknowledged {
  // Answers come in the order of what they answer, nearly always.
  const at = of.outstanding[0]?.nonce === nonce ? 0 : of.outstanding.findIndex((response) => response.nonce === nonce);
  const response = of.outstanding[at];
  if (response === undefined) return { of, reports: [], matched: false };
  const outstanding = at === 0 ? of.outstanding.slice(1) : of.outstanding.toSpliced(at, 1);
  const whole = sentWhole(variant, type);
  const { names } = response;
  if (error === undefined) {
    return {
      of: { ...of, outstanding, rejected: accepted(of.rejected, whole ? [WHOLE_TYPE] : names) },
      reports: [{ kind: 'acked', type, nonce }],
      matched: true,
    };
  }
  const detail = error;
  if (!whole && names.length > 1) {
    const middle = Math.ceil(names.length / 2);
    const isolate = [...of.isolate, names.slice(0, middle), names.slice(middle)];
    return { of: { ...of, outstanding, isolate }, reports: [{ kind: 'isolating', type, nonce, names, detail }], matched: true };
  }
  const rejected = new Map(of.rejected);
  for (const name of whole ? [WHOLE_TYPE] : names) rejected.set(name, { version: of.sent.get(name)?.version ?? '', detail });
  const report: Report = { kind: 'nacked', type, nonce, names: whole ? [] : names, detail };
  return { of: { ...of, outstanding, rejected }, reports: [report], matched: true };
}

function accepted(before: TypeState['rejected'], names: readonly string[]): TypeState['rejected'] {
  if (before.size === 0) return before;
  const rejected = new Map(before);
  for (const name of names) rejected.delete(name);
  return rejected;
}
