import { type BigIntStats, statSync } from 'node:fs';
import type { Admission } from '../admit/admit.ts';
import { admitDocument } from '../admit/admit.ts';
import type { Document } from '../admit/document.ts';
import type { Admitted, Refused } from '../admit/mesh-object.ts';
import type { ReadOptions } from '../admit/read-object.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import { missingMarker, parseDiagnostics, readText, unreadable } from './load.ts';
import { type Parsed, parseText } from './parse.ts';
import { splitDocuments } from './split.ts';

/** What a file says now. */
export interface FileContent {
  readonly documents: readonly Document[];
  readonly admitted: readonly Admitted[];
  readonly refused: readonly Refused[];
  readonly diagnostics: readonly Diagnostic[];
  /** Some of it cannot be read at all, so that an object which is no longer seen may still be in there. */
  readonly obscured: boolean;
}

interface Part {
  readonly parsed: Parsed;
  readonly admissions: readonly Admission[];
  readonly offset: number;
}

interface Entry {
  readonly stamp: string;
  /** The file was written so shortly before it was read that a later write may have the same time stamps. */
  readonly racy: boolean;
  readonly text: string | undefined;
  readonly parts: ReadonlyMap<string, Part>;
  readonly content: FileContent;
}

/** Time stamps of file systems are as coarse as a tick of the kernel, 10 ms at most. */
const TICK_MS = 20;

export type Look =
  | { readonly kind: 'content'; readonly content: FileContent }
  | { readonly kind: 'gone' }
  | { readonly kind: 'unsettled'; readonly content: FileContent | undefined };

/** One watched file: reads it only when it changed, and of it only the documents that changed. */
export class WatchedFile {
  readonly #path: string;
  #entry: Entry | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * @param settleMs a file that was written less than this ago may be half written: `unsettled` then, with what it said before
   */
  look(options: ReadOptions, now: number, settleMs: number): Look {
    let stat: BigIntStats;
    try {
      stat = statSync(this.#path, { bigint: true });
    } catch (cause) {
      return isGone(cause)
        ? { kind: 'gone' }
        : { kind: 'content', content: this.#unreadable(cause instanceof Error ? cause.message : String(cause)) };
    }
    const stamp = `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
    const before = this.#entry;
    if (before !== undefined && before.stamp === stamp && !before.racy) return { kind: 'content', content: before.content };
    const age = now - Number(stat.mtimeMs);
    // A time stamp from the future says nothing about when the file was written.
    if (age >= 0 && age < settleMs && before?.stamp !== stamp) return { kind: 'unsettled', content: before?.content };
    const read = readText(this.#path);
    if (!read.ok) return { kind: 'content', content: this.#unreadable(read.reason, read.hint) };
    const racy = Math.abs(age) < TICK_MS;
    if (before?.text === read.text) this.#entry = { ...before, stamp, racy };
    else this.#entry = { stamp, racy, text: read.text, ...this.#read(read.text, before?.parts, options) };
    return { kind: 'content', content: this.#entry.content };
  }

  /** Has everything read again, after the mesh configuration changed. */
  forget(): void {
    this.#entry = undefined;
  }

  #unreadable(reason: string, hint = 'check its permissions'): FileContent {
    const content: FileContent = {
      documents: [],
      admitted: [],
      refused: [],
      diagnostics: [unreadable(this.#path, reason, hint)],
      obscured: true,
    };
    this.#entry = { stamp: '', racy: true, text: undefined, parts: this.#entry?.parts ?? new Map(), content };
    return content;
  }

  #read(
    text: string,
    before: ReadonlyMap<string, Part> | undefined,
    options: ReadOptions,
  ): { parts: ReadonlyMap<string, Part>; content: FileContent } {
    const parts = new Map<string, Part>();
    const admissions: Admission[] = [];
    const documents: Document[] = [];
    const diagnostics: Diagnostic[] = [];
    let obscured = false;
    for (const chunk of splitDocuments(text)) {
      const part = this.#part(chunk.text, chunk.offset, parts.get(chunk.text) ?? before?.get(chunk.text), options);
      parts.set(chunk.text, part);
      admissions.push(...part.admissions);
      for (const node of part.parsed.nodes) documents.push({ file: this.#path, offset: chunk.offset, node });
      if (chunk.unmarked) diagnostics.push(missingMarker(this.#path, chunk.offset + 1));
      diagnostics.push(...parseDiagnostics(this.#path, chunk.offset, chunk.text, part.parsed.problems));
      obscured ||= part.parsed.problems.length > 0;
    }
    const content: FileContent = {
      documents,
      admitted: admissions.flatMap((one) => one.admitted),
      refused: admissions.flatMap((one) => one.refused),
      diagnostics: [...diagnostics, ...admissions.flatMap((one) => one.diagnostics)],
      obscured,
    };
    return { parts, content };
  }

  /** A document whose text is as before keeps its objects; when it only moved, their lines move along. */
  #part(text: string, offset: number, before: Part | undefined, options: ReadOptions): Part {
    if (before === undefined) {
      const parsed = parseText(text);
      return {
        parsed,
        offset,
        admissions: parsed.nodes.map((node) => admitDocument({ file: this.#path, offset, node }, options)),
      };
    }
    const moved = offset - before.offset;
    return moved === 0
      ? before
      : { parsed: before.parsed, offset, admissions: before.admissions.map((one) => shift(one, moved)) };
  }
}

function shift(admission: Admission, by: number): Admission {
  return {
    admitted: admission.admitted.map((one) => ({ ...one, line: one.line + by, offset: one.offset + by })),
    refused: admission.refused.map((one) => ({ ...one, line: one.line + by })),
    diagnostics: admission.diagnostics.map((one) => ({ ...one, line: one.line + by })),
  };
}

function isGone(cause: unknown): boolean {
  return typeof cause === 'object' && cause !== null && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR');
}
