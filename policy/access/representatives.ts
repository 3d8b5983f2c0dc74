import { Automaton, type Language } from './language.ts';

/** Which texts can occur at all, read character by character. */
export interface Domain {
  readonly start: string;
  /** The state after one more character; undefined when no text goes on like that. */
  readonly step: (state: string, character: string) => string | undefined;
  /** Characters without which some text of the domain is never come to. */
  readonly wanted?: (state: string) => readonly string[];
  readonly accepts: (state: string, text: string) => boolean;
}

export interface Representatives {
  readonly texts: readonly string[];
  /** False when there were so many kinds of text that the search was given up. */
  readonly complete: boolean;
}

const MOST_STATES = 20_000;
const LONGEST = 512;
/** Tried where only it matters that a character is another one. */
const OTHERS = Array.from('xyzwvuqkjabcdefghilmnoprst0123456789XYZ');

/**
 * A text for each combination of languages that some text of the domain is in: the shortest, but for ties. Of the
 * combinations none is left out, unless the search was given up.
 */
export function representatives(languages: readonly Language[], domain: Domain): Representatives {
  const automaton = new Automaton(languages);
  const found = new Map<string, string>();
  const seen = new Set<string>();
  let level: readonly (readonly [state: readonly number[], domain: string, text: string])[] = [
    [automaton.start, domain.start, ''],
  ];
  let complete = true;
  while (level.length > 0) {
    const next: (typeof level)[number][] = [];
    for (const [state, inside, text] of level) {
      const combination = automaton.accepted(state).join(',');
      if (!found.has(combination) && domain.accepts(inside, text)) found.set(combination, text);
      if (!complete || text.length >= LONGEST) continue;
      const wanted = [...new Set([...automaton.wanted(state), ...(domain.wanted?.(inside) ?? [])])];
      const other = OTHERS.find((character) => !wanted.includes(character) && domain.step(inside, character) !== undefined);
      for (const character of [...wanted, ...(other === undefined ? [] : [other]), ...(wanted.includes('/') ? [] : ['/'])]) {
        const then = domain.step(inside, character);
        if (then === undefined) continue;
        const after = automaton.step(state, character);
        const key = `${then}|${after.join(',')}`;
        if (seen.has(key)) continue;
        if (seen.size >= MOST_STATES) complete = false;
        else {
          seen.add(key);
          next.push([after, then, text + character]);
        }
      }
    }
    level = next;
  }
  return { texts: [...found.values()], complete };
}
