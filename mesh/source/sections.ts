import { type Admission, admitDocument } from '../admit/admit.ts';
import type { Document } from '../admit/document.ts';
import type { ReadOptions } from '../admit/read-object.ts';
import { gatewaysIn, type Written, writtenIn } from '../admit/written.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import { missingMarker, parseDiagnostics } from './load.ts';
import { parseText } from './parse.ts';
import { chunksOf, type Section } from './split.ts';

/** What one section of a file says. An unchanged section stays the same object. */
export interface ReadSection extends Admission {
  /** Characters of its text. */
  readonly length: number;
  readonly lines: number;
  /** Lines of the file before it. */
  readonly offset: number;
  readonly documents: readonly Document[];
  /** Some of it cannot be read at all, so that an object which is no longer seen may still be in there. */
  readonly obscured: boolean;
  /** `namespace/name` of the gateways in it, admitted or not. */
  readonly gateways: readonly string[];
}

/** A text of its own: a piece of a large one would keep all of that in memory. */
function detached(text: string): string {
  return Buffer.from(text).toString();
}

export function readSection(file: string, section: Section, offset: number, options: ReadOptions): ReadSection {
  const documents: Document[] = [];
  const diagnostics: Diagnostic[] = [];
  const admissions: Admission[] = [];
  let obscured = false;
  for (const chunk of chunksOf({ text: detached(section.text) }, offset)) {
    const { nodes, problems } = parseText(chunk.text);
    if (chunk.unmarked) diagnostics.push(missingMarker(file, chunk.offset + 1));
    diagnostics.push(...parseDiagnostics(file, chunk.offset, chunk.text, problems));
    obscured ||= problems.length > 0;
    for (const node of nodes) {
      const document = { file, offset: chunk.offset, node };
      documents.push(document);
      admissions.push(admitDocument(document, options));
    }
  }
  return {
    length: section.text.length,
    lines: section.lines,
    offset,
    documents,
    admitted: admissions.flatMap((one) => one.admitted),
    refused: admissions.flatMap((one) => one.refused),
    diagnostics: [...diagnostics, ...admissions.flatMap((one) => one.diagnostics)],
    obscured,
    gateways: gatewaysIn(writtenIn(documents, options.defaultNamespace)),
  };
}

/** A section that only moved keeps its objects; their lines move along. */
export function movedTo(section: ReadSection, offset: number): ReadSection {
  const by = offset - section.offset;
  if (by === 0) return section;
  return {
    ...section,
    offset,
    documents: section.documents.map((one) => ({ ...one, offset: one.offset + by })),
    admitted: section.admitted.map((one) => ({ ...one, line: one.line + by, offset: one.offset + by })),
    refused: section.refused.map((one) => ({ ...one, line: one.line + by })),
    diagnostics: section.diagnostics.map((one) => ({ ...one, line: one.line + by })),
  };
}

const written = new WeakMap<ReadSection, readonly Written[]>();

/** Everything in a section that has a kind and a name, admitted or not. */
export function writtenOf(section: ReadSection, defaultNamespace: string): readonly Written[] {
  const known = written.get(section);
  if (known !== undefined) return known;
  const found = writtenIn(section.documents, defaultNamespace);
  written.set(section, found);
  for (const [place, one] of found.entries()) places.set(one, place);
  return found;
}

const places = new WeakMap<Written, number>();

/** The order in one file. */
export function compareInFile(one: Written, other: Written): number {
  return one.offset - other.offset || (places.get(one) ?? 0) - (places.get(other) ?? 0);
}
