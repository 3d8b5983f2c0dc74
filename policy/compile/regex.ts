/** A literal for RE2 (https://github.com/google/re2/wiki/Syntax): every metacharacter is escaped. */
export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}-]/g, String.raw`\$&`);
}

/** RE2 for one of several alternatives. */
export function oneOf(alternatives: readonly string[]): string {
  const distinct = [...new Set(alternatives)];
  const [first] = distinct;
  return distinct.length === 1 && first !== undefined ? first : `(?:${distinct.join('|')})`;
}
