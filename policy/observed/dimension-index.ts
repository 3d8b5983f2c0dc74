import type { Atom, Term } from '../access/atom.ts';
import type { Clause } from '../access/rules.ts';
import { AskedValues } from './asked-values.ts';
import { type Bits, addBit, noBits, removeBit } from './bits.ts';
import { type Forms, type Known, type OpenTruth, atomTruth } from './open-truth.ts';

/** What rules say of calls by one dimension, for all that have one value there. Rules and values of policies are known by their places. */
export interface Answer {
  /** Rules that do not match, whatever else such calls have. */
  readonly fails: Bits;
  /** Rules for which it depends; undefined: none. */
  readonly open: Bits | undefined;
  /** Values of policies that may hold, see {@link DimensionIndex.atoms}. */
  readonly held: readonly number[];
}

interface Condition {
  readonly values: readonly number[];
  readonly notValues: readonly number[];
}

/** All that a rule asks for in this dimension, and the rules that ask for the same. */
interface Demand {
  readonly allows: boolean;
  readonly conditions: readonly Condition[];
  readonly rules: number[];
}

type Verdict = 'passes' | 'fails' | 'open';

/** By the place of a value of a policy; absent: false. */
type Truths = ReadonlyMap<number, OpenTruth>;

function eitherOf(atoms: readonly number[], truths: Truths): OpenTruth {
  let found: OpenTruth = false;
  for (const at of atoms) {
    const truth = truths.get(at) ?? false;
    if (truth === true) return true;
    if (truth === 'open' || (truth === 'unknown' && found === false)) found = truth;
  }
  return found;
}

function truthOf({ values, notValues }: Condition, truths: Truths): OpenTruth {
  const some = values.length === 0 ? true : eitherOf(values, truths);
  const other = notValues.length === 0 ? false : eitherOf(notValues, truths);
  if (some === false || other === true) return false;
  if (some === 'open' || other === 'open') return 'open';
  return some === 'unknown' || other === 'unknown' ? 'unknown' : true;
}

function verdictOf({ allows, conditions }: Demand, forms: readonly Truths[]): Verdict {
  let found: Verdict = 'passes';
  for (const condition of conditions) {
    const [first = 'open', ...others] = forms.map((truths) => truthOf(condition, truths));
    const truth = others.every((one) => one === first) ? first : 'open';
    // What cannot be decided counts against the caller.
    if (truth === false || (truth === 'unknown' && allows)) return 'fails';
    if (truth === 'open') found = 'open';
  }
  return found;
}

const NOTHING: Truths = new Map();
const MOST_PLACES = 200_000_000;

/**
 * What rules ask for in one dimension (caller, path, ...). Equal demands are one, each value of a policy is asked once for each value of
 * calls, and only where it may hold.
 */
export class DimensionIndex {
  readonly dimension: string;
  /** Values of policies; those of one text answer alike, whatever policy they are of. */
  readonly #atoms: readonly Atom[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #asked: AskedValues;
  readonly #demands: readonly Demand[];
  /** Demands in which a value of a policy stands. */
  readonly #demandsOf: readonly (readonly number[])[];
  readonly #size: number;
  readonly #otherwise: Bits;
  readonly #anything: Answer;
  readonly #answers = new Map<string, Answer>();

  constructor(dimension: string, clauses: readonly Clause[]) {
    this.dimension = dimension;
    this.#size = clauses.length;
    const atoms: Atom[] = [];
    const places = new Map<string, number>();
    const demands = new Map<string, Demand>();
    const placeOf = (atom: Atom): number => {
      const key = nameOf(atom);
      const known = places.get(key);
      if (known !== undefined) return known;
      places.set(key, atoms.length);
      return atoms.push(atom) - 1;
    };
    for (const [at, { allows, terms }] of clauses.entries()) {
      const conditions = terms
        .filter((term) => term.dimension === dimension)
        .map(({ values, notValues }: Term): Condition => ({ values: values.map(placeOf), notValues: notValues.map(placeOf) }));
      if (conditions.length === 0) continue;
      const key = `${allows} ${conditions.map(({ values, notValues }) => `${values.join()} not ${notValues.join()}`).join(';')}`;
      const known = demands.get(key);
      if (known === undefined) demands.set(key, { allows, conditions, rules: [at] });
      else known.rules.push(at);
    }
    this.#atoms = atoms;
    this.#places = places;
    this.#asked = new AskedValues(dimension, atoms);
    this.#demands = [...demands.values()];
    const demandsOf = atoms.map((): number[] => []);
    for (const [demand, { conditions }] of this.#demands.entries())
      for (const atom of new Set(conditions.flatMap(({ values, notValues }) => [...values, ...notValues])))
        demandsOf[atom]?.push(demand);
    this.#demandsOf = demandsOf;
    this.#otherwise = noBits(this.#size);
    const concerned = noBits(this.#size);
    for (const demand of this.#demands) {
      const fails = verdictOf(demand, [NOTHING]) === 'fails';
      for (const at of demand.rules) {
        addBit(concerned, at);
        if (fails) addBit(this.#otherwise, at);
      }
    }
    this.#anything = { fails: noBits(this.#size), open: concerned, held: atoms.map((_, at) => at) };
  }

  /** @param forms the values in which calls have it; undefined: nobody knows */
  answer(forms: Forms, known: Known): Answer {
    if (forms === undefined) return this.#anything;
    const key = `${known.call.protocol === 'TCP' ? 'T' : 'H'}${forms.map((value) => (value === undefined ? '' : ` ${value}`)).join('\n')}`;
    const before = this.#answers.get(key);
    if (before !== undefined) return before;
    if (this.#answers.size * this.#size >= MOST_PLACES) this.#answers.clear();
    const made = this.#answered(forms, known);
    this.#answers.set(key, made);
    return made;
  }

  /** The place of a value of a policy. */
  placeOf(atom: Atom): number | undefined {
    return this.#places.get(nameOf(atom));
  }

  #answered(forms: readonly (string | undefined)[], known: Known): Answer {
    const held = new Set<number>();
    const truths = forms.map((value): Truths => {
      const found = new Map<number, OpenTruth>();
      for (const at of this.#asked.of(value, known.meshConfig)) {
        const atom = this.#atoms[at];
        const truth = atom === undefined ? false : atomTruth(atom, value, known);
        if (truth === false) continue;
        found.set(at, truth);
        held.add(at);
      }
      return found;
    });
    const fails = this.#otherwise.slice();
    let open: Bits | undefined;
    const touched = new Set([...held].flatMap((at) => this.#demandsOf[at] ?? []));
    for (const at of touched) {
      const demand = this.#demands[at];
      if (demand === undefined) continue;
      const verdict = verdictOf(demand, truths);
      for (const rule of demand.rules) {
        if (verdict === 'fails') addBit(fails, rule);
        else removeBit(fails, rule);
        if (verdict === 'open') addBit((open ??= noBits(this.#size)), rule);
      }
    }
    return { fails, open, held: [...held] };
  }
}

function nameOf({ field, text }: Atom): string {
  return `${field}\n${text}`;
}
