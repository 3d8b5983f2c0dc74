/** What a proxy says, on a terminal: its lines indented, and no control characters that would move the cursor or change colours. */
export function printable(message: string): string {
  return message
    .trim()
    .replaceAll(/[^\P{Cc}\n]/gu, '?')
    .replaceAll('\n', '\n      ');
}
