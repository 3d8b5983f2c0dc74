/** One document of a YAML stream, and how many lines stand before it. */
export interface Chunk {
  readonly text: string;
  readonly offset: number;
  /** It begins with an `apiVersion` that has no `---` before it, as some articles print objects one below the other. */
  readonly unmarked: boolean;
}

/** What stands from one `---` line (or the beginning) to the next. */
export interface Section {
  readonly text: string;
  readonly lines: number;
}

/** Directives (%YAML, %TAG) belong to the marker after them; such streams are rare and are left whole. */
function hasDirectives(text: string): boolean {
  return text.startsWith('%') || /[\n\r\u2028\u2029]%/.test(text);
}

/**
 * Splits a YAML stream at its `---` lines, so that a broken document spoils no other and an unchanged one need not be
 * read again. At column 0 those three dashes are always a document marker (YAML 1.2, section 9.1.2), also inside quotes.
 */
export function sectionsOf(text: string): readonly Section[] {
  if (text === '') return [];
  if (hasDirectives(text)) return [{ text, lines: linesIn(text) }];
  const found: Section[] = [];
  const marker = /^---(?=[ \t\r\n]|$)/gm;
  let start = 0;
  const push = (end: number): void => {
    if (end === start) return;
    const section = text.slice(start, end);
    found.push({ text: section, lines: linesIn(section) });
    start = end;
  };
  for (let match = marker.exec(text); match !== null; match = marker.exec(text)) push(match.index);
  push(text.length);
  return found;
}

function linesIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}

/** The documents of a section that stands behind `before` lines. */
export function chunksOf({ text }: Pick<Section, 'text'>, before: number): readonly Chunk[] {
  if (hasDirectives(text)) return [{ text, offset: before, unmarked: false }];
  const chunks: Chunk[] = [];
  let offset = before;
  for (const [index, part] of objectsOf(text).entries()) {
    if (part.trim() !== '') chunks.push({ text: part, offset, unmarked: index > 0 });
    offset += linesIn(part);
  }
  return chunks;
}

export function splitDocuments(text: string): readonly Chunk[] {
  let before = 0;
  return sectionsOf(text).flatMap((section) => {
    const chunks = chunksOf(section, before);
    before += section.lines;
    return chunks;
  });
}

/**
 * A document whose first field is `apiVersion`, cut before each further `apiVersion` at column 0: as one document that
 * would be a field given twice, which says nothing, so that the dashes were forgotten is the only sensible reading.
 */
function objectsOf(text: string): readonly string[] {
  const starts = [...text.matchAll(/^apiVersion:/gm)].map(({ index }) => index);
  const [first, ...further] = starts;
  if (first === undefined || further.length === 0 || !/^(\s*(#[^\n]*)?\n|---[^\n]*\n)*$/.test(text.slice(0, first)))
    return [text];
  const cuts = [0, ...further, text.length];
  return cuts.slice(0, -1).map((cut, at) => text.slice(cut, cuts[at + 1]));
}

const BLOCK = 65_536;

/** How long two texts are the same from the beginning; or, but for the first `from` characters, from the end. */
function commonLength(one: string, other: string, fromEnd: boolean, from = 0): number {
  const most = Math.min(one.length, other.length) - from;
  const same = (begin: number, end: number): boolean =>
    fromEnd
      ? one.slice(one.length - end, one.length - begin) === other.slice(other.length - end, other.length - begin)
      : one.slice(begin, end) === other.slice(begin, end);
  let found = 0;
  for (let step = BLOCK; step >= 1; step = step > 1 ? Math.ceil(step / 16) : 0) {
    while (found < most && same(found, Math.min(found + step, most))) found = Math.min(found + step, most);
  }
  return found;
}

/** Which sections of an earlier text stand unchanged at the beginning and the end of a later one, and what is between. */
export interface Resplit {
  readonly head: number;
  readonly tail: number;
  readonly middle: readonly Section[];
}

/** The longest marker, and what must follow it. */
const MARKER = 4;

/**
 * Splits a text of which an earlier version is known, so that only what changed is looked at.
 * @param lengths of the earlier text's sections
 */
export function resplit(before: string, lengths: readonly number[], after: string): Resplit {
  const prefix = commonLength(before, after, false);
  const suffix = commonLength(before, after, true, prefix);
  let head = 0;
  let begin = 0;
  for (const length of lengths) {
    // The marker behind a section ends it, so it must be there as before.
    if (begin + length + MARKER > prefix) break;
    begin += length;
    head += 1;
  }
  let tail = 0;
  let rest = 0;
  for (let at = lengths.length - 1; at >= head; at--) {
    const length = lengths[at] ?? 0;
    // A section begins at a line's beginning, so the line break before it must be there as before.
    if (rest + length + 1 > suffix) break;
    rest += length;
    tail += 1;
  }
  const text = after.slice(begin, after.length - rest);
  if (hasDirectives(text) || (head + tail === 0 && hasDirectives(after))) return { head: 0, tail: 0, middle: sectionsOf(after) };
  return { head, tail, middle: sectionsOf(text) };
}
