import type { AcceptedCalls } from '../../mesh/model/namespace-rollout.ts';
import { inBlocks } from '../evaluate/address.ts';
import type { ObservedCall } from '../observed/call.ts';
import { callText, instant } from './words.ts';

/** Whether an entry is about a call; when it ended is another question. All that it says must hold, and what is not known does not. */
export function isAbout({ from, to }: AcceptedCalls, call: ObservedCall): boolean {
  const [, workload] = call.destination.split('/');
  return (
    (from.principal === undefined || (call.principal !== undefined && matches(from.principal, withoutScheme(call.principal)))) &&
    (from.namespace === undefined || from.namespace === namespaceOf(call)) &&
    (from.ipBlock === undefined || inBlocks([from.ipBlock])(call.address) === true) &&
    (to.workload === undefined || to.workload === workload) &&
    (to.port === undefined || to.port === call.port)
  );
}

export const hasEnded = ({ until }: { readonly until: number }, now: number): boolean => until <= now;

const withoutScheme = (principal: string): string => principal.replace(/^spiffe:\/\//, '');

function matches(pattern: string, value: string): boolean {
  if (pattern === '*') return value !== '';
  if (pattern.endsWith('*')) return value.startsWith(pattern.slice(0, -1));
  return pattern.startsWith('*') ? value.endsWith(pattern.slice(1)) : value === pattern;
}

/** From the identity where there is one: what else is known of the caller rests on its address alone. */
function namespaceOf({ principal, caller }: ObservedCall): string | undefined {
  if (principal !== undefined) return /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/[^/]+$/.exec(principal)?.[1];
  return caller?.split('/')[0];
}

export interface Sifted {
  /** What nobody answers for; most calls first. */
  readonly open: readonly ObservedCall[];
  /** How many findings are on the accepted list. */
  readonly accepted: number;
  readonly details: readonly string[];
}

/** Takes away what somebody answers for today. */
export function sift(calls: readonly ObservedCall[], entries: readonly AcceptedCalls[], now: number): Sifted {
  const open: ObservedCall[] = [];
  const ended = new Map<ObservedCall, AcceptedCalls>();
  for (const call of calls) {
    const about = entries.filter((entry) => isAbout(entry, call));
    if (about.some((entry) => !hasEnded(entry, now))) continue;
    open.push(call);
    const [last] = about.sort((one, other) => other.until - one.until);
    if (last !== undefined) ended.set(call, last);
  }
  open.sort((one, other) => other.count - one.count || (callText(one) < callText(other) ? -1 : 1));
  return {
    open,
    accepted: calls.length - open.length,
    details: open.map((call) => {
      const entry = ended.get(call);
      return entry === undefined
        ? callText(call)
        : `${callText(call)}; was accepted until ${instant(entry.until)}: ask ${entry.owner}`;
    }),
  };
}
