import { Option } from 'commander';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { PassphraseSource } from '../../ca/key-store/passphrase.ts';

/** `--NAME-file` and `--NAME-env`: where a passphrase is. There is no option for the passphrase itself: others can read command lines. */
export function passphraseOptions(name: string, what: string): readonly [Option, Option] {
  return [
    new Option(`--${name}-file <file>`, `file with the passphrase ${what}`),
    new Option(`--${name}-env <name>`, `environment variable with the passphrase ${what}`),
  ];
}

export function passphraseSource(
  name: string,
  file: string | undefined,
  variable: string | undefined,
): Parsed<PassphraseSource | undefined> {
  if (file !== undefined && variable !== undefined)
    return { ok: false, reason: `--${name}-file and --${name}-env are two places for one passphrase; give one` };
  if (file !== undefined) return { ok: true, value: { file } };
  return { ok: true, value: variable === undefined ? undefined : { variable } };
}
