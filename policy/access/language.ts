/**
 * A set of texts that a policy value stands for, as a sequence of parts. Just enough of regular expressions for values of
 * policies, so that texts can be found which tell several values apart.
 */
export type Part =
  | { readonly kind: 'text'; readonly text: string; readonly anyCase?: boolean }
  /** Any characters, or none. */
  | { readonly kind: 'any' }
  /** One character or more. */
  | { readonly kind: 'some' }
  /** One character or more, none of them a slash. */
  | { readonly kind: 'segment' }
  | { readonly kind: 'digits' };

export type Language = readonly Part[];

export const ANY: Part = Object.freeze({ kind: 'any' });
export const SOME: Part = Object.freeze({ kind: 'some' });
export const SEGMENT: Part = Object.freeze({ kind: 'segment' });
export const DIGITS: Part = Object.freeze({ kind: 'digits' });

export function text(value: string, anyCase = false): Part {
  return { kind: 'text', text: value, anyCase };
}

type Reads = 'any' | 'segment' | 'digit';

/** One place in the languages laid end to end; the next place is the one after it. */
export type Place =
  | { readonly kind: 'character'; readonly character: string; readonly anyCase: boolean }
  | { readonly kind: 'one' | 'many'; readonly reads: Reads }
  | { readonly kind: 'end'; readonly language: number };

function placesOf(part: Part): readonly Place[] {
  switch (part.kind) {
    case 'text':
      return Array.from(part.text, (character): Place => ({ kind: 'character', character, anyCase: part.anyCase ?? false }));
    case 'any':
      return [{ kind: 'many', reads: 'any' }];
    case 'some':
      return [
        { kind: 'one', reads: 'any' },
        { kind: 'many', reads: 'any' },
      ];
    case 'segment':
      return [
        { kind: 'one', reads: 'segment' },
        { kind: 'many', reads: 'segment' },
      ];
    case 'digits':
      return [{ kind: 'many', reads: 'digit' }];
    default:
      return part satisfies never;
  }
}

function takes(reads: Reads, character: string): boolean {
  switch (reads) {
    case 'any':
      return true;
    case 'segment':
      return character !== '/';
    case 'digit':
      return character >= '0' && character <= '9';
    default:
      return reads satisfies never;
  }
}

/** Several languages read at once: a state is the set of places that a text may have come to. */
export class Automaton {
  readonly #places: readonly Place[];
  readonly start: readonly number[];

  constructor(languages: readonly Language[]) {
    const places: Place[] = [];
    const starts: number[] = [];
    for (const [language, parts] of languages.entries()) {
      starts.push(places.length);
      places.push(...parts.flatMap(placesOf), { kind: 'end', language });
    }
    this.#places = places;
    this.start = this.#closed(starts);
  }

  step(state: readonly number[], character: string): readonly number[] {
    const next: number[] = [];
    for (const at of state) {
      const place = this.#places[at];
      if (place === undefined || place.kind === 'end') continue;
      if (place.kind === 'character') {
        const same =
          place.character === character || (place.anyCase && place.character.toLowerCase() === character.toLowerCase());
        if (same) next.push(at + 1);
      } else if (takes(place.reads, character)) next.push(place.kind === 'many' ? at : at + 1);
    }
    return this.#closed(next);
  }

  /** The languages that a text which leads here is in. */
  accepted(state: readonly number[]): readonly number[] {
    return state.flatMap((at) => {
      const place = this.#places[at];
      return place?.kind === 'end' ? [place.language] : [];
    });
  }

  /** Characters that make a difference here; all others lead to the same state, but for slashes. */
  wanted(state: readonly number[]): readonly string[] {
    const found = new Set<string>();
    for (const at of state) {
      const place = this.#places[at];
      if (place?.kind === 'character') {
        found.add(place.anyCase ? place.character.toLowerCase() : place.character);
        if (place.anyCase) found.add(place.character.toUpperCase());
      } else if (place?.kind === 'many' && place.reads === 'digit') found.add('8');
    }
    return [...found];
  }

  /** A `many` may be left without reading anything. */
  #closed(states: readonly number[]): readonly number[] {
    const all = new Set<number>();
    for (const start of states) {
      for (let at = start; !all.has(at); at++) {
        all.add(at);
        if (this.#places[at]?.kind !== 'many') break;
      }
    }
    return [...all].sort((a, b) => a - b);
  }
}
