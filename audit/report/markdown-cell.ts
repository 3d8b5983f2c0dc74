import { visible } from './visible.ts';

/** Text in a cell of a Markdown table, without any markup of its own (CommonMark backslash escapes, entities for HTML). */
export function markdownCell(text: string): string {
  return (
    visible(text)
      .replace(/[\\`*_{}[\]()#+!|~]/g, (character) => `\\${character}`)
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      // Autolinks of GitHub's dialect.
      .replace(/(https?|ftp|spiffe):\/\//gi, '$1:&#47;/')
      .replace(/www\./gi, 'www&#46;')
      .replaceAll('@', '&#64;')
  );
}
