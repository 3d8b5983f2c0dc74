import type { Facts } from '../evaluate/facts.ts';
import type { Request } from '../evaluate/request.ts';
import type { Atom } from './atom.ts';
import { has, members } from './box.ts';
import type { Dimension } from './dimension.ts';

/** A set of values that can be named: those for which an atom is true, or those for which it cannot be decided. */
export interface Name {
  readonly text: string;
  readonly holds: (facts: Facts, request: Request) => boolean;
}

/** Values that have all of these names and none of those. */
export interface Alternative {
  readonly all: readonly Name[];
  readonly except: readonly Name[];
}

/** Of the alternatives one must hold; undefined: any value does. */
export type Description = readonly Alternative[] | undefined;

interface Named extends Name {
  readonly bits: bigint;
}

function textOf({ field, text, dimension }: Atom): string {
  if (field === 'audiences accepted') return `${text} (as RequestAuthentication compares)`;
  if (field === 'token') return 'any token';
  if (dimension === 'token')
    return field === 'requestPrincipals' || field === 'request.auth.principal' ? text : `${field} ${text}`;
  return text;
}

function namesIn(dimension: Dimension): readonly Named[] {
  return dimension.atoms.flatMap((atom): readonly Named[] => {
    const { yes, unknown } = dimension.truths(atom);
    const text = textOf(atom);
    return [
      { text, bits: yes, holds: (facts, request) => atom.truth(facts, request) === true },
      ...(unknown === 0n
        ? []
        : [
            {
              text: `${text} with a port`,
              bits: unknown,
              holds: (facts: Facts, request: Request) => atom.truth(facts, request) === 'unknown',
            },
          ]),
    ];
  });
}

function size(bits: bigint): number {
  return members(bits).length;
}

/** Few names that cover what is wanted and nothing that is forbidden; undefined when there are none. */
function cover(names: readonly Named[], wanted: bigint, forbidden: bigint): readonly Named[] | undefined {
  const usable = names.filter(({ bits }) => (bits & forbidden) === 0n);
  const chosen: Named[] = [];
  for (let left = wanted; left !== 0n;) {
    let best: Named | undefined;
    for (const name of usable) if (best === undefined || size(name.bits & left) > size(best.bits & left)) best = name;
    if (best === undefined || (best.bits & left) === 0n) return undefined;
    chosen.push(best);
    left &= ~best.bits;
  }
  return chosen;
}

/** One class by all that is said of it. */
function exactly(names: readonly Named[], at: number): Alternative {
  return { all: names.filter(({ bits }) => has(bits, at)), except: names.filter(({ bits }) => !has(bits, at)) };
}

/** Fewest words first. */
function weight({ all, except }: Alternative): number {
  return all.length + 2 * except.length;
}

/** A set of classes in the words of the policies. It holds for exactly the values of these classes. */
export function describe(dimension: Dimension, bits: bigint): Description {
  if (bits === dimension.all) return undefined;
  const names = namesIn(dimension);
  const everything: Named = { text: '', bits: dimension.all, holds: () => true };
  const outside = dimension.all & ~bits;
  const found: Alternative[] = [];
  let left = bits;
  for (const name of [...names].sort((one, other) => size(other.bits) - size(one.bits))) {
    if ((name.bits & outside) !== 0n || (name.bits & left) === 0n) continue;
    found.push({ all: [name], except: [] });
    left &= ~name.bits;
  }
  while (left !== 0n) {
    const still = left;
    const candidates = [everything, ...names].flatMap((base) => {
      if ((base.bits & still) === 0n) return [];
      const except = cover(names, base.bits & outside, bits & base.bits & still);
      return except === undefined || except.length === 0
        ? []
        : [{ base, except, alternative: { all: base === everything ? [] : [base], except } }];
    });
    const best = candidates.toSorted(
      (one, other) =>
        size(other.base.bits & still) - size(one.base.bits & still) || weight(one.alternative) - weight(other.alternative),
    )[0];
    if (best === undefined) {
      const [first = 0] = members(left);
      found.push(exactly(names, first));
      left &= ~(1n << BigInt(first));
    } else {
      found.push(best.alternative);
      const excluded = best.except.reduce((sum, name) => sum | name.bits, 0n);
      left &= ~(best.base.bits & ~excluded);
    }
  }
  return found;
}

export function holds(description: Description, facts: Facts, request: Request): boolean {
  return (
    description === undefined ||
    description.some(
      ({ all, except }) => all.every((name) => name.holds(facts, request)) && !except.some((name) => name.holds(facts, request)),
    )
  );
}

function alternativeText({ all, except }: Alternative): string {
  const base = all.length === 0 ? 'any' : all.map(({ text }) => text).join(' and ');
  return except.length === 0 ? base : `${base} except ${except.map(({ text }) => text).join(', ')}`;
}

/** For people: `GET, POST`, `/users/* except /users/admin`. */
export function describedText(description: Description): string {
  return description === undefined
    ? 'any'
    : description.map(alternativeText).join(description.some(({ except }) => except.length > 0) ? '; ' : ', ');
}

/** For machines. */
export function describedRow(
  description: Description,
): readonly { readonly is: readonly string[]; readonly not: readonly string[] }[] | 'any' {
  if (description === undefined) return 'any';
  return description.map(({ all, except }) => ({ is: all.map(({ text }) => text), not: except.map(({ text }) => text) }));
}
