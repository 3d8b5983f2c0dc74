import { readFileSync, statSync } from 'node:fs';
import type { Document } from '../admit/document.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import { listFiles, reasonOf } from './files.ts';
import { parseText, type Problem } from './parse.ts';
import { splitDocuments } from './split.ts';

export const MOST_BYTES = 32 * 1024 * 1024;

/** A path that stands for the standard input. */
const STDIN = '-';

export type Text =
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string; readonly hint: string };

/** A file's text, at most 32 MiB of UTF-8. */
export function readText(file: string): Text {
  try {
    if (file === STDIN) return { ok: true, text: readFileSync(0, 'utf8') };
    const { size } = statSync(file);
    if (size > MOST_BYTES) return { ok: false, reason: `has ${size} bytes, more than ${MOST_BYTES}`, hint: 'split it' };
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file)) };
  } catch (cause) {
    const broken = cause instanceof TypeError;
    return {
      ok: false,
      reason: broken ? 'is no UTF-8 text' : reasonOf(cause),
      hint: broken ? 'save it as UTF-8' : 'check the path and its permissions',
    };
  }
}

/** Problems of a text whose first line stands after `offset` lines of the file. */
export function parseDiagnostics(
  file: string,
  offset: number,
  text: string,
  problems: readonly Problem[],
): readonly Diagnostic[] {
  const object = nameIn(text);
  return problems.map(({ line, message, hint }) => ({
    file,
    line: line + offset,
    ...(object === undefined ? {} : { object }),
    severity: 'error',
    code: 'bad-yaml',
    message,
    ...(hint === undefined ? {} : { hint }),
  }));
}

/** Which object a text that cannot be read seems to be, for the eye. */
function nameIn(text: string): string | undefined {
  const kind = /^kind:[ \t]*["']?([A-Za-z]+)/m.exec(text)?.[1];
  const metadata = /^metadata:[^\n]*\n((?:[ \t]+[^\n]*\n?)*)/m.exec(text)?.[1] ?? '';
  const word = (field: string): string | undefined =>
    new RegExp(`^[ \\t]+${field}:[ \\t]*["']?([a-z0-9][a-z0-9.-]*)`, 'm').exec(metadata)?.[1];
  const name = word('name');
  return kind === undefined || name === undefined ? undefined : `${kind} ${word('namespace') ?? 'default'}/${name}`;
}

export function unreadable(file: string, reason: string, hint: string): Diagnostic {
  return { file, line: 1, severity: 'error', code: 'unreadable', message: reason, hint };
}

export interface Loaded {
  readonly documents: readonly Document[];
  readonly diagnostics: readonly Diagnostic[];
}

export function missingMarker(file: string, line: number): Diagnostic {
  return {
    file,
    line,
    severity: 'warning',
    code: 'missing-marker',
    message: 'another object begins here without "---" before it',
    hint: 'put a line "---" between objects',
  };
}

/** The documents of one text; a broken one gives a diagnostic, the others stay. */
export function documentsOf(file: string, text: string): Loaded {
  const documents: Document[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const { text: part, offset, unmarked } of splitDocuments(text)) {
    if (unmarked) diagnostics.push(missingMarker(file, offset + 1));
    const { nodes, problems } = parseText(part);
    diagnostics.push(...parseDiagnostics(file, offset, part, problems));
    for (const node of nodes) documents.push({ file, offset, node });
  }
  return { documents, diagnostics };
}

/** Reads files and folders; what cannot be read is a diagnostic. */
export function loadFiles(paths: readonly string[]): Loaded {
  const { files, missing } = listFiles(paths);
  const diagnostics: Diagnostic[] = missing.map(({ path, reason }) => unreadable(path, reason, 'check the path after -f'));
  const documents: Document[] = [];
  for (const file of files) {
    const read = readText(file);
    if (!read.ok) {
      diagnostics.push(unreadable(file, read.reason, read.hint));
      continue;
    }
    const found = documentsOf(file, read.text);
    documents.push(...found.documents);
    diagnostics.push(...found.diagnostics);
  }
  return { documents, diagnostics };
}
