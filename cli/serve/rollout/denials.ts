import type { Observer } from '../../../audit/intake/sink.ts';
import { edgeKeyOf, tallyOf } from '../../../audit/model/edge.ts';
import { type AccessRecord, isDenied } from '../../../audit/model/record.ts';
import { observedCall } from '../../../audit/observed/calls.ts';
import type { ObservedCall } from '../../../policy/observed/call.ts';

/** Refusals are remembered so many at most in each namespace; a spike shows in fewer. */
const MOST = 5_000;

/**
 * Calls that were denied of late, as proxies tell of them: known here before they are in the store. Of some namespaces only, so that calls
 * of the others cost one look into a set.
 */
export class Denials implements Observer {
  readonly #found = new Map<string, ObservedCall[]>();
  readonly #told: (namespace: string) => void;

  /** @param told is called for each batch that brought some; must not throw */
  constructor(told: (namespace: string) => void) {
    this.#told = told;
  }

  /** Watches these namespaces and no others. */
  watch(namespaces: ReadonlySet<string>): void {
    for (const namespace of this.#found.keys()) if (!namespaces.has(namespace)) this.#found.delete(namespace);
    for (const namespace of namespaces) if (!this.#found.has(namespace)) this.#found.set(namespace, []);
  }

  observe(records: readonly AccessRecord[]): void {
    if (this.#found.size === 0) return;
    const told = new Set<string>();
    for (const record of records) {
      if (record.hop !== 'in' || !isDenied(record.verdict)) continue;
      const namespace = record.destination.workload?.split('/', 1)[0] ?? '';
      const found = this.#found.get(namespace);
      const call = found && observedCall({ key: edgeKeyOf(record), tally: tallyOf(record) });
      if (found === undefined || call === undefined) continue;
      found.push(call);
      if (found.length > 2 * MOST) found.splice(0, found.length - MOST);
      told.add(namespace);
    }
    for (const namespace of told) this.#told(namespace);
  }

  /** Since a time; what is older is forgotten. */
  since(namespace: string, time: number): readonly ObservedCall[] {
    const kept = (this.#found.get(namespace) ?? []).filter(({ lastSeen }) => lastSeen >= time);
    if (this.#found.has(namespace)) this.#found.set(namespace, kept);
    return kept;
  }
}

/** All that tells calls apart but how many and when. */
function kindOf(call: ObservedCall): string {
  return JSON.stringify({ ...call, count: 0, firstSeen: 0, lastSeen: 0, days: 0 });
}

/**
 * Live refusals and those of the store as one list, each call counted once: the same ones are in both, so of each kind whichever knows of
 * more counts. What the store added up together with earlier calls counts once.
 */
export function deniedOnce(
  live: readonly ObservedCall[],
  stored: readonly ObservedCall[],
  since: number,
): readonly ObservedCall[] {
  const added = new Map<string, ObservedCall>();
  for (const call of live) {
    const kind = kindOf(call);
    const known = added.get(kind);
    added.set(kind, known === undefined ? call : { ...known, count: known.count + call.count, lastSeen: call.lastSeen });
  }
  for (const call of stored) {
    if (call.lastSeen < since || call.decision !== 'DENY') continue;
    const kind = kindOf(call);
    const known = added.get(kind);
    const own = call.firstSeen >= since ? call : { ...call, count: 1, firstSeen: since };
    if (known === undefined || known.count < own.count) added.set(kind, own);
  }
  return [...added.values()];
}
