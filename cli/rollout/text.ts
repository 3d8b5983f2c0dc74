import { visible } from '../../audit/report/visible.ts';

/** As wide as terminals and tickets are. */
const WIDTH = 100;

/** Text in lines of at most {@link WIDTH}, broken between words; what is one word longer than that stays whole. */
export function wrapped(text: string, first: string, rest = ' '.repeat(first.length)): string {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of visible(text).split(' ')) {
    if (!empty && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = rest;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return `${[...lines, line].join('\n')}\n`;
}

/** Columns padded to their widest cell, the last one wrapped; the first row is the heading. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => visible(row[at] ?? '').length)));
  return rows
    .map((row) => {
      const last = row.length - 1;
      const before = row.slice(0, last).map((cell, at) => visible(cell).padEnd((widths[at] ?? 0) + 2));
      return wrapped(row[last] ?? '', before.join(''));
    })
    .join('');
}

const UNITS = Object.freeze([
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const);

/** How long ago, roughly: `3d`, `12m`. */
export function ago(iso: string, now: number): string {
  const ms = Math.max(0, now - Date.parse(iso));
  const [unit, size] = UNITS.find(([, least]) => ms >= 2 * least) ?? ['s', 1000];
  return `${Math.floor(ms / size)}${unit}`;
}
