/**
 * Control, formatting (bidirectional) and separator characters as visible escapes: paths and names come from callers, who
 * could otherwise steer a terminal or reorder what a reader sees.
 */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
