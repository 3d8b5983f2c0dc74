import type { Atom, Term } from '../../../policy/access/atom.ts';
import { decidesOn } from '../../../policy/access/effective.ts';
import type { Clause } from '../../../policy/access/rules.ts';
import { type Known, type OpenTruth, atomTruth, formsOf } from '../../../policy/observed/open-truth.ts';
import { type Match, type Matches, type Matching, type Rules, inOrder } from '../../../policy/observed/rule-index.ts';

function eitherOf(truths: readonly OpenTruth[]): OpenTruth {
  return ([true, 'open', 'unknown'] as const).find((one) => truths.includes(one)) ?? false;
}

function truthFor({ values, notValues }: Term, value: string | undefined, known: Known): OpenTruth {
  const of = (atoms: readonly Atom[]): OpenTruth => eitherOf(atoms.map((atom) => atomTruth(atom, value, known)));
  const not = of(notValues);
  const parts = [...(values.length === 0 ? [] : [of(values)]), typeof not === 'boolean' ? !not : not];
  return ([false, 'open', 'unknown'] as const).find((one) => parts.includes(one)) ?? true;
}

/** Every value of a condition asked, for every form in which a call may have it. */
function truthOf(term: Term, known: Known): OpenTruth {
  const forms = formsOf(term.dimension, known);
  if (forms === undefined) return 'open';
  const [first = 'open', ...others] = forms.map((value) => truthFor(term, value, known));
  return others.every((truth) => truth === first) ? first : 'open';
}

function matchOf({ terms, allows }: Clause, known: Known): Match | false {
  const open = new Set<string>();
  for (const term of terms) {
    const truth = truthOf(term, known);
    if (truth === 'open') open.add(term.dimension);
    else if (truth === 'unknown' ? allows : !truth) return false;
  }
  return open.size === 0 ? true : [...open].sort();
}

/** Rules asked one by one, condition by condition: what {@link RuleIndex} has to come to, too. */
export class PlainRules implements Rules {
  readonly #clauses: readonly Clause[];

  constructor(clauses: readonly Clause[]) {
    this.#clauses = inOrder(clauses);
  }

  matches(known: Known): Matches {
    const protocol = known.call.protocol === 'TCP' ? 'TCP' : 'HTTP';
    const found = this.#clauses
      .filter((clause) => decidesOn(clause, protocol))
      .flatMap((clause): readonly Matching[] => {
        const match = matchOf(clause, known);
        return match === false ? [] : [{ clause, match }];
      });
    const allowing = found.filter(({ clause }) => clause.allows);
    return {
      denying: found.filter(({ clause }) => !clause.allows),
      allowing,
      mayAllow: allowing.length > 0,
      allowed: allowing.find(({ match }) => match === true)?.clause,
    };
  }
}
