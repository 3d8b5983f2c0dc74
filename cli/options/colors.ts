import { isatty } from 'node:tty';
import colors from 'picocolors';

/** Colours where people read standard output, and nowhere else: CI environments count as coloured, files and pipes there must not. */
export function outputColors(): ReturnType<typeof colors.createColors> {
  return colors.createColors(colors.isColorSupported && isatty(1));
}
