import { ANY, Automaton, type Language, SEGMENT, text } from '../access/language.ts';

/** What a value says of the paths behind a template: all of them match, none does, or it differs. */
export type Relation = 'all' | 'none' | 'some';

const HOLE = /(\{(?:id|rest|other)\})/;

/** True when paths are not written out: something in it differs from call to call. */
export function isTemplate(path: string): boolean {
  return HOLE.test(path);
}

/** What all paths behind a template begin with. */
export function leadOf(template: string): string {
  return template.split(HOLE, 1)[0] ?? '';
}

function languageOf(template: string): Language {
  return template
    .split(HOLE)
    .filter((part) => part !== '')
    .map((part) => (part === '{id}' ? SEGMENT : part === '{rest}' || part === '{other}' ? ANY : text(part)));
}

const escaped = (part: string): string => part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/** An identifier: not a word, which records always write out (audit/intake/path-template.ts). */
const ID = '(?![A-Za-z_.~-]{1,35}(?:\\/|$))[^/]+';

function couldBe(template: string): RegExp {
  const parts = template.split(HOLE);
  const read = parts.map((part, at) => {
    if (!HOLE.test(part)) return escaped(part);
    const whole = parts[at - 1]?.endsWith('/') === true && /^(?:\/|$)/.test(parts[at + 1] ?? '');
    return part !== '{id}' ? '.*' : whole ? ID : '[^/]+';
  });
  return new RegExp(`^${read.join('')}$`, 's');
}

/** Beyond this it is not told. */
const MOST_STATES = 2000;

function relate(languages: readonly Language[], template: Language): Relation {
  const automaton = new Automaton([template, ...languages]);
  const seen = new Set<string>([automaton.start.join()]);
  const open = [automaton.start];
  let [all, none] = [true, true];
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    const accepted = automaton.accepted(state);
    if (accepted.includes(0)) {
      if (accepted.length > 1) none = false;
      else all = false;
      if (!all && !none) return 'some';
    }
    // One character stands for all that nobody writes.
    for (const character of new Set([...automaton.wanted(state), '/', '8', '\u{10FFFF}'])) {
      const next = automaton.step(state, character);
      const key = next.join();
      if (next.length === 0 || seen.has(key)) continue;
      seen.add(key);
      if (seen.size > MOST_STATES) return 'some';
      open.push(next);
    }
  }
  return all ? 'all' : none ? 'none' : 'some';
}

/**
 * What a value of a policy says of the paths that a template stands for.
 * @param query whether what is compared has the query, which templates leave out
 */
export function relationOf(
  value: { readonly text: string; readonly languages: readonly Language[] },
  template: string,
  query: boolean,
): Relation {
  if (template === '{other}') return value.text === '*' ? 'all' : 'some';
  if (value.text === '*') return 'all';
  const found = relate(value.languages, query ? [...languageOf(template), ANY] : languageOf(template));
  const literal = !query && !/[*{]/.test(value.text);
  return found === 'some' && literal && !couldBe(template).test(value.text) ? 'none' : found;
}
