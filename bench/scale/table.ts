import Table from 'cli-table3';
import type { Figures, Row } from './figures.ts';

const COLUMNS: readonly (readonly [title: string, key: Exclude<keyof Figures, 'note'>, digits: number])[] = Object.freeze([
  ['CPU s', 'cpuSeconds', 3],
  ['wall s', 'wallSeconds', 2],
  ['last ms', 'lastMs', 0],
  ['MB sent', 'megabytes', 3],
  ['responses', 'responses', 0],
  ['peak MB', 'peakMb', 0],
  ['RSS MB', 'memoryMb', 0],
  ['KB/proxy', 'perProxyKb', 0],
  ['loop p99 ms', 'eventLoopMs', 0],
  ['client CPU s', 'clientCpuSeconds', 2],
  ['per CPU s', 'perCpuSecond', 0],
  ['CSRs', 'csrs', 0],
  ['CSR p50', 'csrP50Ms', 1],
  ['CSR p99', 'csrP99Ms', 0],
  ['CSR max', 'csrMaxMs', 0],
  ['hold', 'holdMs', 0],
  ['over 20', 'holdsOver20', 0],
  ['over 50', 'holdsOver50', 0],
]);

export function printRows(rows: readonly Row[]): void {
  const used = COLUMNS.filter(([, key]) => rows.some(({ figures }) => figures[key] !== undefined));
  const table = new Table({
    head: ['work', 'server', ...used.map(([title]) => title), 'note'],
    colAligns: ['left', 'left', ...used.map(() => 'right' as const), 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const { work, server, figures } of rows)
    table.push([work, server, ...used.map(([, key, digits]) => figures[key]?.toFixed(digits) ?? ''), figures.note ?? '']);
  process.stdout.write(`${table.toString()}\n`);
}
