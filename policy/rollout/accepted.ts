import { withoutScheme } from '../../ca/identity/spiffe-id.ts';
import type { AcceptedCalls } from '../../mesh/model/namespace-rollout.ts';
import { inBlocks } from '../evaluate/address.ts';
import { isText, valueOf } from '../evaluate/text.ts';
import { remembered } from '../../mesh/model/remembered.ts';
import type { ObservedCall } from '../observed/call.ts';
import type { Relation } from '../observed/template.ts';
import { calledAs, isOfRequests } from './called.ts';
import { callText, instant } from './words.ts';

/** Whose calls, and to whom. */
type Entry = Pick<AcceptedCalls, 'from' | 'to'>;

/**
 * Whether an entry is about the calls that stand behind a record; when it ended is another question. All that it says must hold, and what
 * is not known does not, but for paths and methods of which records tell no more than that they may be meant: `some`.
 */
export function relationTo({ from, to }: Entry, call: ObservedCall): Relation {
  const isBetween =
    (from.principal === undefined ||
      (call.principal !== undefined && isText(valueOf(from.principal), withoutScheme(call.principal)))) &&
    (from.namespace === undefined || from.namespace === namespaceOf(call)) &&
    (to.workload === undefined || to.workload === call.destination.split('/')[1]) &&
    (to.port === undefined || to.port === call.port) &&
    (from.ipBlock === undefined || addressTest(from)(call.address) === true);
  return isBetween ? calledAs(to, call) : 'none';
}

/** Made once for each entry: it is asked of every call. */
const addressTest = remembered(({ ipBlock }: AcceptedCalls['from']) => inBlocks(ipBlock === undefined ? [] : [ipBlock]));

export const hasEnded = ({ until }: { readonly until: number }, now: number): boolean => until <= now;

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

/**
 * The entries about a call.
 * @param which `surely`: those that are about all of it, for what an entry lets pass; `perhaps`: those that may be, for what an entry keeps out
 */
export function entriesAbout<One extends Entry>(
  entries: readonly One[],
  which: 'surely' | 'perhaps' = 'surely',
): (call: ObservedCall) => readonly One[] {
  if (entries.length === 0) return () => [];
  const ofRequests = entries.some(({ to }) => isOfRequests(to));
  const known = new Map<string, readonly One[]>();
  return (call) => {
    const { principal, address, caller, destination, port, protocol, method, path } = call;
    const key = JSON.stringify([principal, address, caller, destination, port, ...(ofRequests ? [protocol, method, path] : [])]);
    const before = known.get(key);
    if (before !== undefined) return before;
    const found = entries.filter((entry) => {
      const relation = relationTo(entry, call);
      return relation === 'all' || (relation === 'some' && which === 'perhaps');
    });
    known.set(key, found);
    return found;
  };
}

/**
 * Takes away what somebody answers for today.
 * @param more to be said of one that is left
 */
export function sift(
  calls: readonly ObservedCall[],
  entries: readonly AcceptedCalls[],
  now: number,
  more: (call: ObservedCall) => string = () => '',
): Sifted {
  const about = entriesAbout(entries);
  const open = calls.flatMap((call) => {
    const found = about(call);
    if (found.some((entry) => !hasEnded(entry, now))) return [];
    const [last] = found.toSorted((one, other) => other.until - one.until);
    const ended = last === undefined ? '' : `; was accepted until ${instant(last.until)}: ask ${last.owner}`;
    return [{ call, text: `${callText(call)}${more(call)}${ended}` }];
  });
  open.sort((one, other) => other.call.count - one.call.count || (one.text < other.text ? -1 : 1));
  return {
    open: open.map(({ call }) => call),
    accepted: calls.length - open.length,
    details: open.map(({ text }) => text),
  };
}
