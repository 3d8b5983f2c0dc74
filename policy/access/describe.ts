import type { Facts } from '../evaluate/facts.ts';
import type { Request } from '../evaluate/request.ts';
import type { Atom } from './atom.ts';
import { has, members, size } from './box.ts';
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

/** Few names that cover what is wanted and nothing that is forbidden; undefined when there are none. */
function cover(names: readonly Named[], wanted: bigint, forbidden: bigint): readonly Named[] | undefined {
  const usable = names.filter(({ bits }) => (bits & wanted) !== 0n && (bits & forbidden) === 0n);
  if ((usable.reduce((all, { bits }) => all | bits, 0n) & wanted) !== wanted) return undefined;
  const chosen: Named[] = [];
  for (let left = wanted; left !== 0n;) {
    let best: Named | undefined;
    let most = 0;
    for (const name of usable) {
      const covered = size(name.bits & left);
      if (covered > most) [best, most] = [name, covered];
    }
    if (best === undefined) return undefined;
    chosen.push(best);
    left &= ~best.bits;
  }
  return chosen;
}

/** One class by all that is said of it. */
function exactly(names: readonly Named[], at: number): Alternative {
  return { all: names.filter(({ bits }) => has(bits, at)), except: names.filter(({ bits }) => !has(bits, at)) };
}

/** One set of values without another: `any except /admin*`, or `/users/* except /users/admin`. The widest that is possible. */
function exception(
  names: readonly Named[],
  bits: bigint,
  left: bigint,
  outside: bigint,
): { readonly alternative: Alternative; readonly covered: bigint } | undefined {
  const everything: Named = { text: '', bits: bits | outside, holds: () => true };
  for (const base of [everything, ...names]) {
    if ((base.bits & left) === 0n) continue;
    const except = cover(names, base.bits & outside, base.bits & left);
    if (except === undefined || except.length === 0) continue;
    const excluded = except.reduce((sum, name) => sum | name.bits, 0n);
    return { alternative: { all: base === everything ? [] : [base], except }, covered: base.bits & ~excluded };
  }
  return undefined;
}

function found(dimension: Dimension, bits: bigint): readonly Alternative[] {
  const names = sortedNames(dimension);
  const outside = dimension.all & ~bits;
  const alternatives: Alternative[] = [];
  let left = bits;
  for (const name of names) {
    if ((name.bits & outside) !== 0n || (name.bits & left) === 0n) continue;
    alternatives.push({ all: [name], except: [] });
    left &= ~name.bits;
  }
  while (left !== 0n) {
    const one = exception(names, bits, left, outside);
    const [first = 0] = members(left);
    alternatives.push(one?.alternative ?? exactly(names, first));
    left &= ~(one?.covered ?? 1n << BigInt(first));
  }
  return alternatives;
}

const kept = new WeakMap<Dimension, { readonly names: readonly Named[]; readonly known: Map<bigint, readonly Alternative[]> }>();

function memory(dimension: Dimension): { readonly names: readonly Named[]; readonly known: Map<bigint, readonly Alternative[]> } {
  const before = kept.get(dimension);
  if (before !== undefined) return before;
  const sized = namesIn(dimension).map((name) => ({ name, count: size(name.bits) }));
  const names = sized.sort((one, other) => other.count - one.count).map(({ name }) => name);
  const made = { names, known: new Map<bigint, readonly Alternative[]>() };
  kept.set(dimension, made);
  return made;
}

/** Those that say most first. */
function sortedNames(dimension: Dimension): readonly Named[] {
  return memory(dimension).names;
}

/** A set of classes in the words of the policies. It holds for exactly the values of these classes. */
export function describe(dimension: Dimension, bits: bigint): Description {
  if (bits === dimension.all) return undefined;
  const { known } = memory(dimension);
  const before = known.get(bits) ?? found(dimension, bits);
  known.set(bits, before);
  return before;
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
