import { type Stats, statSync } from 'node:fs';
import type { ReadOptions } from '../admit/read-object.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import { readText, unreadable } from './load.ts';
import { movedTo, readSection, type ReadSection } from './sections.ts';
import { resplit, type Section } from './split.ts';

/** What a file says now. An unchanged file has the same content object. */
export interface FileContent {
  readonly sections: readonly ReadSection[];
  /** Those of them with something wrong. */
  readonly wrong: readonly ReadSection[];
  /** About the file as a whole. */
  readonly diagnostics: readonly Diagnostic[];
  /** It cannot be read, so that everything that was in it may still be there. */
  readonly unreadable: boolean;
}

interface Entry {
  readonly stamp: string;
  readonly inode: number;
  /** The file was written so shortly before it was read that a later write may have the same time stamps. */
  readonly racy: boolean;
  readonly text: string | undefined;
  /** Of the last text that could be read. */
  readonly sections: readonly ReadSection[];
  readonly content: FileContent;
}

/** Time stamps of file systems are as coarse as a tick of the kernel, 10 ms at most. */
const TICK_MS = 20;

export type Look =
  | { readonly kind: 'content'; readonly content: FileContent }
  | { readonly kind: 'gone' }
  /** It may be half written; `until` is when it will have been quiet for long enough. */
  | { readonly kind: 'unsettled'; readonly content: FileContent | undefined; readonly until: number };

/** One watched file: reads it only when it changed, and of it only the documents that changed. */
export class WatchedFile {
  readonly #path: string;
  #entry: Entry | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** @param settleMs a file that was written less than this ago may be half written: `unsettled` then, with what it said before */
  look(options: ReadOptions, now: number, settleMs: number): Look {
    let stat: Stats;
    try {
      stat = statSync(this.#path);
    } catch (cause) {
      return isGone(cause)
        ? { kind: 'gone' }
        : { kind: 'content', content: this.#unreadable(cause instanceof Error ? cause.message : String(cause)) };
    }
    const stamp = `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`;
    const before = this.#entry;
    if (before !== undefined && before.stamp === stamp && !before.racy) return { kind: 'content', content: before.content };
    const age = now - stat.mtimeMs;
    // A time stamp from the future says nothing about when the file was written; but `now` is in whole milliseconds, and stamps are finer.
    if (age > -TICK_MS && Math.max(age, 0) < settleMs && before?.stamp !== stamp && !wasPutHere(stat, before))
      return { kind: 'unsettled', content: before?.content, until: stat.mtimeMs + settleMs };
    const read = readText(this.#path);
    if (!read.ok) return { kind: 'content', content: this.#unreadable(read.reason, read.hint) };
    const racy = Math.abs(age) < TICK_MS;
    const { ino: inode } = stat;
    if (before?.text === read.text) this.#entry = { ...before, stamp, inode, racy };
    else {
      const sections = this.#read(read.text, before, options);
      const wrong = sections.filter(isWrong);
      const content = { sections, wrong, diagnostics: [], unreadable: false };
      this.#entry = { stamp, inode, racy, text: read.text, sections, content };
    }
    return { kind: 'content', content: this.#entry.content };
  }

  /** Has everything read again, after the mesh configuration changed. */
  forget(): void {
    this.#entry = undefined;
  }

  #unreadable(reason: string, hint = 'check its permissions'): FileContent {
    const content: FileContent = {
      sections: [],
      wrong: [],
      diagnostics: [unreadable(this.#path, reason, hint)],
      unreadable: true,
    };
    this.#entry = { stamp: '', inode: 0, racy: true, text: undefined, sections: [], content };
    return content;
  }

  #read(text: string, before: Entry | undefined, options: ReadOptions): readonly ReadSection[] {
    const old = before?.sections ?? [];
    const { head, tail, middle } = resplit(
      before?.text ?? '',
      old.map(({ length }) => length),
      text,
    );
    const replaced = replacedIn(before?.text ?? '', old, head, tail);
    const sections = old.slice(0, head);
    const last = sections.at(-1);
    let offset = last === undefined ? 0 : last.offset + last.lines;
    const add = (section: ReadSection): void => {
      sections.push(section);
      offset += section.lines;
    };
    for (const section of middle) {
      const same = replaced.get(section.text);
      add(same === undefined ? this.#readSection(section, offset, options) : movedTo(same, offset));
    }
    for (let at = old.length - tail; at < old.length; at++) {
      const section = old[at];
      if (section !== undefined) add(movedTo(section, offset));
    }
    return sections;
  }

  #readSection(section: Section, offset: number, options: ReadOptions): ReadSection {
    return readSection(this.#path, section, offset, options);
  }
}

/** The sections of a text that do not stand where they did, by what they say. */
function replacedIn(
  text: string,
  sections: readonly ReadSection[],
  head: number,
  tail: number,
): ReadonlyMap<string, ReadSection> {
  const found = new Map<string, ReadSection>();
  let at = 0;
  for (let index = 0; index < sections.length - tail; index++) {
    const section = sections[index];
    if (section === undefined) break;
    if (index >= head) found.set(text.slice(at, at + section.length), section);
    at += section.length;
  }
  return found;
}

/**
 * A file that took the place of another after it was written: its name changed (`ctime`) later than its content did. One that is
 * being written in place has both times from its last write.
 */
function wasPutHere(stat: Stats, before: Entry | undefined): boolean {
  return before !== undefined && before.inode !== 0 && before.inode !== stat.ino && stat.size > 0 && stat.ctimeMs > stat.mtimeMs;
}

function isWrong({ diagnostics, refused, obscured }: ReadSection): boolean {
  return diagnostics.length > 0 || refused.length > 0 || obscured;
}

function isGone(cause: unknown): boolean {
  return typeof cause === 'object' && cause !== null && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR');
}
