import type { AcceptedCalls } from '../../mesh/model/namespace-rollout.ts';
import { inBlocks } from '../evaluate/address.ts';
import { isText, valueOf } from '../evaluate/text.ts';
import { remembered } from '../../mesh/model/remembered.ts';
import type { ObservedCall } from '../observed/call.ts';
import { callText, instant } from './words.ts';

/** Whether an entry is about a call; when it ended is another question. All that it says must hold, and what is not known does not. */
export function isAbout({ from, to }: Pick<AcceptedCalls, 'from' | 'to'>, call: ObservedCall): boolean {
  return (
    (from.principal === undefined ||
      (call.principal !== undefined && isText(valueOf(from.principal), withoutScheme(call.principal)))) &&
    (from.namespace === undefined || from.namespace === namespaceOf(call)) &&
    (to.workload === undefined || to.workload === call.destination.split('/')[1]) &&
    (to.port === undefined || to.port === call.port) &&
    (from.ipBlock === undefined || addressTest(from)(call.address) === true)
  );
}

/** Made once for each entry: it is asked of every call. */
const addressTest = remembered(({ ipBlock }: AcceptedCalls['from']) => inBlocks(ipBlock === undefined ? [] : [ipBlock]));

export const hasEnded = ({ until }: { readonly until: number }, now: number): boolean => until <= now;

const withoutScheme = (principal: string): string => principal.replace(/^spiffe:\/\//, '');

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

/** The entries about a call. Calls alike differ in method and path, of which entries say nothing, so each is looked up once. */
export function entriesAbout<Entry extends Pick<AcceptedCalls, 'from' | 'to'>>(
  entries: readonly Entry[],
): (call: ObservedCall) => readonly Entry[] {
  if (entries.length === 0) return () => [];
  const known = new Map<string, readonly Entry[]>();
  return (call) => {
    const { principal, address, caller, destination, port } = call;
    const key = JSON.stringify([principal, address, caller, destination, port]);
    const found = known.get(key) ?? entries.filter((entry) => isAbout(entry, call));
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
