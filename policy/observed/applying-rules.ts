import type { Term } from '../access/atom.ts';
import { decidesOn } from '../access/effective.ts';
import type { Clause } from '../access/rules.ts';
import { type Known, truthOf } from './open-truth.ts';

/** The name under which Envoy knows a rule; it tries them in the byte order of these. */
function envoyName({ policy: { meta }, rule }: Clause): string {
  return `ns[${meta.namespace}]-policy[${meta.name}]-rule[${rule}]`;
}

function inOrder(clauses: readonly Clause[]): readonly Clause[] {
  const named = clauses.map((clause) => ({ clause, name: envoyName(clause) }));
  return named.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)).map(({ clause }) => clause);
}

/** Dimensions of which few values come, by which clauses are left out once for many calls. */
const FIRST: ReadonlySet<string> = new Set(['caller', 'port', 'method']);
const MOST_KEPT = 20_000;

/** The rules that apply to a workload, and to all that have the same: those that a call may match are found without asking each. */
export class ApplyingRules {
  readonly #clauses: readonly Clause[];
  readonly #left = new Map<string, readonly number[]>();
  readonly #byPath = new Map<string, Uint8Array>();

  constructor(clauses: readonly Clause[]) {
    this.#clauses = inOrder(clauses);
  }

  /** The rules that caller, port, method and path leave, in the order in which Envoy tries them. */
  leftFor(known: Known): readonly Clause[] {
    const { path, protocol } = known.call;
    const { principal, port, method } = known.call;
    const left = this.#leftBy(JSON.stringify([principal, port, protocol, method, known.encrypted]), known);
    const byPath = left.length < FEW || path === undefined ? undefined : this.#ofPath(path, known);
    const found: Clause[] = [];
    for (const at of left) {
      if (byPath?.[at] === 0) continue;
      const clause = this.#clauses[at];
      if (clause !== undefined) found.push(clause);
    }
    return found;
  }

  #leftBy(key: string, known: Known): readonly number[] {
    const before = this.#left.get(key);
    if (before !== undefined) return before;
    const protocol = known.call.protocol === 'TCP' ? 'TCP' : 'HTTP';
    const made = [...this.#clauses.entries()].flatMap(([at, clause]) =>
      decidesOn(clause, protocol) && may(clause, known, (term) => FIRST.has(term.dimension)) ? [at] : [],
    );
    if (this.#left.size >= MOST_KEPT) this.#left.clear();
    this.#left.set(key, made);
    return made;
  }

  /** By the place of a clause, whether it may match the path. */
  #ofPath(path: string, known: Known): Uint8Array {
    const key = `${known.call.protocol} ${path}`;
    const before = this.#byPath.get(key);
    if (before !== undefined) return before;
    const made = Uint8Array.from(this.#clauses, (clause) =>
      may(clause, known, ({ dimension }) => dimension === 'path') ? 1 : 0,
    );
    if (this.#byPath.size * this.#clauses.length >= MOST_PLACES) this.#byPath.clear();
    this.#byPath.set(key, made);
    return made;
  }
}

/** So many are asked one by one. */
const FEW = 16;
const MOST_PLACES = 50_000_000;

/** Whether a clause may match, as far as records tell. */
export function mayMatch(clause: Clause, known: Known): boolean {
  return may(clause, known, () => true);
}

/** Whether a clause may match by the terms of some dimensions; what cannot be decided counts against the caller. */
function may({ terms, allows }: Clause, known: Known, which: (term: Term) => boolean): boolean {
  return terms.every((term) => {
    if (!which(term)) return true;
    const truth = truthOf(term, known);
    return truth === 'unknown' ? !allows : truth !== false;
  });
}
