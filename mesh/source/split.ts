/** One document of a YAML stream, and how many lines stand before it. */
export interface Chunk {
  readonly text: string;
  readonly offset: number;
  /** It begins with an `apiVersion` that has no `---` before it, as some articles print objects one below the other. */
  readonly unmarked: boolean;
}

/**
 * Splits a YAML stream at its `---` lines, so that a broken document spoils no other and an unchanged one need not be
 * read again. At column 0 those three dashes are always a document marker (YAML 1.2, section 9.1.2), also inside quotes.
 */
export function splitDocuments(text: string): readonly Chunk[] {
  // Directives (%YAML, %TAG) belong to the marker after them; such streams are rare and are left whole.
  if (/^%/m.test(text)) return [{ text, offset: 0, unmarked: false }];
  const chunks: Chunk[] = [];
  const marker = /^---(?=[ \t\r\n]|$)/gm;
  let start = 0;
  let offset = 0;
  const push = (end: number): void => {
    for (const [index, part] of objectsOf(text.slice(start, end)).entries()) {
      if (part.trim() !== '') chunks.push({ text: part, offset, unmarked: index > 0 });
      for (let at = part.indexOf('\n'); at >= 0; at = part.indexOf('\n', at + 1)) offset += 1;
    }
    start = end;
  };
  for (let found = marker.exec(text); found !== null; found = marker.exec(text)) push(found.index);
  push(text.length);
  return chunks;
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
