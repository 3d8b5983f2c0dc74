import type { Parsed } from '../../ca/identity/parsed.ts';

/**
 * Splits a command line into words: blanks separate, '...' and "..." keep blanks, a backslash takes the next character
 * as it is (outside of single quotes). Nothing is expanded and no shell runs.
 */
export function words(line: string): Parsed<readonly string[]> {
  const found: string[] = [];
  let word: string | undefined;
  let quote: '"' | "'" | undefined;
  for (let at = 0; at < line.length; at++) {
    const char = line.charAt(at);
    if (char === '\\' && quote !== "'") {
      at++;
      if (at >= line.length) return { ok: false, reason: 'ends in a backslash' };
      word = (word ?? '') + line.charAt(at);
    } else if (quote !== undefined) {
      if (char === quote) quote = undefined;
      else word = (word ?? '') + char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) found.push(word);
      word = undefined;
    } else word = (word ?? '') + char;
  }
  if (quote !== undefined) return { ok: false, reason: `has no closing ${quote}` };
  if (word !== undefined) found.push(word);
  return found.length === 0 ? { ok: false, reason: 'is empty' } : { ok: true, value: found };
}
