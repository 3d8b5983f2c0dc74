import { decidesOn } from '../access/effective.ts';
import type { Clause } from '../access/rules.ts';
import { type Bits, addBit, eachBit, hasBit, keepOnly, lowestBit, noBits, removeAll } from './bits.ts';
import { type Answer, DimensionIndex } from './dimension-index.ts';
import { type Known, formsOf } from './open-truth.ts';

/** Yes, or yes where these dimensions are as the rule asks. */
export type Match = true | readonly string[];

export interface Matching {
  readonly clause: Clause;
  readonly match: Match;
}

/** The rules that match a call, or may, in the order in which Envoy tries them. */
export interface Matches {
  readonly denying: readonly Matching[];
  readonly allowing: readonly Matching[];
  /** Whether there are any that allow. */
  readonly mayAllow: boolean;
  /** The first that allows for certain. */
  readonly allowed: Clause | undefined;
}

/** The rules of some policies. */
export interface Rules {
  matches(known: Known): Matches;
}

/** The name under which Envoy knows a rule; it tries them in the byte order of these. */
function envoyName({ policy: { meta }, rule }: Clause): string {
  return `ns[${meta.namespace}]-policy[${meta.name}]-rule[${rule}]`;
}

export function inOrder(clauses: readonly Clause[]): readonly Clause[] {
  const named = clauses.map((clause) => ({ clause, name: envoyName(clause) }));
  return named.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)).map(({ clause }) => clause);
}

/** What one dimension of a call says. */
export interface Part {
  readonly index: DimensionIndex;
  readonly answer: Answer;
}

/**
 * The rules that apply to a workload, and to all that have the same. What they ask for is asked once for each value of a dimension, and
 * which rules match is told from the answers for all of them at once: so the cost of a call does not grow with the conditions of rules.
 */
export class RuleIndex implements Rules {
  readonly clauses: readonly Clause[];
  readonly #dimensions: readonly DimensionIndex[];
  readonly #allowing: Bits;
  readonly #denying: Bits;
  readonly #decides: Readonly<Record<'HTTP' | 'TCP', Bits>>;

  constructor(clauses: readonly Clause[]) {
    this.clauses = inOrder(clauses);
    const keys = new Set(this.clauses.flatMap(({ terms }) => terms.map(({ dimension }) => dimension)));
    this.#dimensions = [...keys].sort().map((key) => new DimensionIndex(key, this.clauses));
    const where = (test: (clause: Clause) => boolean): Bits => {
      const bits = noBits(this.clauses.length);
      for (const [at, clause] of this.clauses.entries()) if (test(clause)) addBit(bits, at);
      return bits;
    };
    this.#allowing = where(({ allows }) => allows);
    this.#denying = where(({ allows }) => !allows);
    this.#decides = {
      HTTP: where((clause) => decidesOn(clause, 'HTTP')),
      TCP: where((clause) => decidesOn(clause, 'TCP')),
    };
  }

  /** What the dimensions of a call say. */
  parts(known: Known): readonly Part[] {
    return this.#dimensions.map((index) => ({ index, answer: index.answer(formsOf(index.dimension, known), known) }));
  }

  /** The places in {@link clauses} of rules that match, or may. */
  matching({ call }: Known, parts: readonly Part[]): Bits {
    const rules = this.#decides[protocolOf(call)].slice();
    for (const { answer } of parts) removeAll(rules, answer.fails);
    return rules;
  }

  matches(known: Known): Matches {
    const { clauses } = this;
    const parts = this.parts(known);
    const listed = (which: Bits): readonly Matching[] => {
      const found = this.matching(known, parts);
      keepOnly(found, which);
      return Array.from(eachBit(found)).flatMap((at) => {
        const clause = clauses[at];
        return clause === undefined ? [] : [{ clause, match: matchOf(parts, at) }];
      });
    };
    const { denies, allows, allowed } = this.#sums(known, parts);
    const [allowing, denying] = [this.#allowing, this.#denying];
    return {
      mayAllow: allows,
      allowed: allowed === undefined ? undefined : clauses[allowed],
      // Few calls need them.
      get denying() {
        return denies ? listed(denying) : NONE;
      },
      get allowing() {
        return allows ? listed(allowing) : NONE;
      },
    };
  }

  /** For every call that is judged: makes no sets. */
  #sums(
    { call }: Known,
    parts: readonly Part[],
  ): { readonly denies: boolean; readonly allows: boolean; readonly allowed: number | undefined } {
    const decides = this.#decides[protocolOf(call)];
    let [denies, allows] = [false, false];
    let allowed: number | undefined;
    for (let at = 0; at < decides.length; at++) {
      let [rules, open] = [decides[at] ?? 0, 0];
      for (const { answer } of parts) {
        rules &= ~(answer.fails[at] ?? 0);
        if (answer.open !== undefined) open |= answer.open[at] ?? 0;
      }
      if ((rules & (this.#denying[at] ?? 0)) !== 0) denies = true;
      const allowing = rules & (this.#allowing[at] ?? 0);
      if (allowing !== 0) allows = true;
      const sure = allowing & ~open;
      if (sure !== 0) allowed ??= at * 32 + lowestBit(sure);
    }
    return { denies, allows, allowed };
  }
}

const NONE: readonly Matching[] = Object.freeze([]);

function protocolOf({ protocol }: Known['call']): 'HTTP' | 'TCP' {
  return protocol === 'TCP' ? 'TCP' : 'HTTP';
}

function matchOf(parts: readonly Part[], rule: number): Match {
  const open: string[] = [];
  for (const { index, answer } of parts) if (answer.open !== undefined && hasBit(answer.open, rule)) open.push(index.dimension);
  return open.length === 0 ? true : open;
}
