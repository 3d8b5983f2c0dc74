import { csvOf } from './csv.ts';
import type { Printable } from './document.ts';
import { htmlOf } from './html.ts';
import { markdownOf } from './markdown.ts';
import { textOf } from './text.ts';

/** Every form that a document can be printed in. */
export const FORMATS = Object.freeze(['table', 'json', 'csv', 'markdown', 'html'] as const);
export type Format = (typeof FORMATS)[number];

export function isFormat(text: string): text is Format {
  return FORMATS.some((format) => format === text);
}

/** The pieces of the text, made one by one. */
export function print({ document, csv, json }: Printable, format: Format): Iterable<string> {
  switch (format) {
    case 'table':
      return textOf(document);
    case 'json':
      return json();
    case 'csv':
      return csvOf(csv);
    case 'markdown':
      return markdownOf(document);
    case 'html':
      return htmlOf(document);
    default:
      return format satisfies never;
  }
}

/** All of it at once, for what is known to be small. */
export function printed(printable: Printable, format: Format): string {
  return [...print(printable, format)].join('');
}
