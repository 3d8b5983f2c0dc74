import type { TypeUrl } from '../resource-set.ts';
import { sentWhole } from './due.ts';
import type { Report, Variant } from './event.ts';
import { WHOLE_TYPE } from './state.ts';
import type { Part, TypeState } from './state.ts';

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
  const { names, removed } = response;
  if (error === undefined) {
    const taken = removed.length === 0 ? names : [...names, ...removed];
    return {
      of: { ...of, outstanding, rejected: accepted(of.rejected, whole ? [WHOLE_TYPE] : taken) },
      reports: [{ kind: 'acked', type, nonce }],
      matched: true,
    };
  }
  const detail = error;
  const rejected = new Map(of.rejected);
  // Envoy takes all of a response with virtual hosts, or nothing: what was to go is still there.
  for (const name of removed) rejected.set(name, { version: '', detail });
  const parts = whole ? [] : partsOf(response, rejected);
  if (parts.length > 0) {
    const isolate = [...of.isolate, ...parts];
    const report: Report = { kind: 'isolating', type, nonce, names, detail };
    return { of: { ...of, outstanding, rejected, isolate }, reports: [report], matched: true };
  }
  for (const name of whole ? [WHOLE_TYPE] : names) rejected.set(name, { version: of.sent.get(name)?.version ?? '', detail });
  const report: Report = { kind: 'nacked', type, nonce, names: whole ? [] : names, detail };
  return { of: { ...of, outstanding, rejected }, reports: [report], matched: true };
}

/** What of a rejected response is sent again. One that was alone may be refused because of a domain of what was to go: once more, with that. */
function partsOf({ names, removed }: Part, rejected: TypeState['rejected']): readonly Part[] {
  if (names.length > 1) {
    const middle = Math.ceil(names.length / 2);
    return [names.slice(0, middle), names.slice(middle)].map((half) => ({ names: half, removed: [] }));
  }
  if (names.length === 0 || removed.length > 0) return [];
  const going = [...rejected].filter(([, { version }]) => version === '').map(([name]) => name);
  return going.length === 0 ? [] : [{ names, removed: going }];
}

function accepted(before: TypeState['rejected'], names: readonly string[]): TypeState['rejected'] {
  if (before.size === 0) return before;
  const rejected = new Map(before);
  for (const name of names) rejected.delete(name);
  return rejected;
}
