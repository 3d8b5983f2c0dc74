import Table from 'cli-table3';

const NONE = '';

/** A table of columns alone, as kubectl and istioctl print them, so that it can be cut and sorted by other tools. */
export function plainTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: [...head],
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
    chars: {
      top: NONE,
      'top-mid': NONE,
      'top-left': NONE,
      'top-right': NONE,
      bottom: NONE,
      'bottom-mid': NONE,
      'bottom-left': NONE,
      'bottom-right': NONE,
      left: NONE,
      'left-mid': NONE,
      mid: NONE,
      'mid-mid': NONE,
      right: NONE,
      'right-mid': NONE,
      middle: '   ',
    },
  });
  for (const row of rows) table.push([...row]);
  return `${table.toString().replace(/ +$/gm, '')}\n`;
}
