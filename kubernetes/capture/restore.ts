import { PREFIX, type Table } from './rules.ts';

/** What of ours a table of the kernel has: whole, in parts, or of another version. */
export interface Present {
  readonly chains: readonly string[];
  /** Rules of the kernel's own chains that lead to chains of ours, without `-A`. */
  readonly jumps: readonly string[];
}

export const NOTHING: Present = Object.freeze({ chains: [], jumps: [] });

/** Reads a table from what `iptables-save -t TABLE` prints. */
export function presentIn(saved: string): Present {
  const lines = saved.split('\n').map((line) => line.trim());
  return {
    chains: lines.flatMap((line) => new RegExp(`^:(${PREFIX}\\w+) `).exec(line)?.[1] ?? []),
    jumps: lines.flatMap((line) =>
      line.startsWith('-A ') && !line.startsWith(`-A ${PREFIX}`) && line.includes(` -j ${PREFIX}`) ? [line.slice(3)] : [],
    ),
  };
}

/**
 * Text for `iptables-restore --noflush` that makes a table have these rules and none of our others, whatever it has now. The kernel takes it as a whole or not at all, so that a
 * process that is killed leaves what was there before or what is to be; what others wrote is not touched.
 */
export function restoreText({ name, chains, rules, jumps }: Table, present: Present): string {
  const gone = present.chains.filter((chain) => !chains.includes(chain));
  return [
    `*${name}`,
    // Makes a chain, or empties the one that is there.
    ...[...chains, ...gone].map((chain) => `:${chain} - [0:0]`),
    ...present.jumps.map((jump) => `-D ${jump}`),
    ...rules.map((rule) => `-A ${rule}`),
    ...jumps.map((jump) => `-A ${jump}`),
    ...gone.map((chain) => `-X ${chain}`),
    'COMMIT',
    '',
  ].join('\n');
}

/** Text that takes away all that is ours; undefined: there is nothing. */
export function removalText(name: Table['name'], present: Present): string | undefined {
  if (present.chains.length === 0 && present.jumps.length === 0) return undefined;
  return restoreText({ name, chains: [], rules: [], jumps: [] }, present);
}
