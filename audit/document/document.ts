/** What a text stands for, where a form can show it: colour and weight in HTML. The text says it too. */
export type Tone = 'denied' | 'plain' | 'would-be-denied' | 'good' | 'number';

export interface Cell {
  readonly text: string;
  readonly tone?: Tone | undefined;
}

export interface Column {
  readonly title: string;
  /** Left out where space is short: on a terminal. */
  readonly wide?: boolean;
}

/** Rows are made while they are written, as often as they are asked for, so that a report of any length needs no second copy of itself. */
export interface Table {
  readonly columns: readonly Column[];
  readonly rows: () => Iterable<readonly Cell[]>;
}

export interface Picture {
  /** Trusted markup, made by audit/graph/svg.ts; left out where a form has no pictures. */
  readonly svg: string;
  readonly legend: readonly { readonly tone: string; readonly text: string }[];
}

export interface Section {
  readonly heading: string;
  readonly paragraphs?: readonly string[];
  readonly table?: Table;
  readonly picture?: Picture;
  /** What is said in place of a table without rows. */
  readonly whenEmpty?: string;
}

export type Fact = readonly [label: string, value: string];

/** What is printed, whatever the form: made once, written by one renderer for each form. */
export interface Document {
  readonly title: string;
  /** Which time it is about, in a sentence. */
  readonly period: string;
  /** The figures on top. */
  readonly facts: readonly Fact[];
  /** Who made it, of what, when, with which versions. */
  readonly about: readonly Fact[];
  readonly sections: readonly Section[];
  /** What a reader could think was looked at, and was not. */
  readonly notCovered: readonly string[];
  /** The same, of what is so each time: left out where documents are short-lived, on a terminal. */
  readonly neverCovered: readonly string[];
}

/** A document with its forms for programs. */
export interface Printable {
  readonly document: Document;
  /** CSV holds one table. */
  readonly csv: Table;
  /** A stable shape, in pieces. */
  readonly json: () => Iterable<string>;
}

export function cell(text: string | number, tone?: Tone): Cell {
  return typeof text === 'number' ? { text: String(text), tone: tone ?? 'number' } : { text, tone };
}
