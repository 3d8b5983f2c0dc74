import Table from 'cli-table3';
import { stringify } from 'yaml';
import { callerTexts } from '../../policy/access/callers.ts';
import { describedRow, describedText } from '../../policy/access/describe.ts';
import type { Change } from '../../policy/access/diff.ts';
import type { Verdict } from '../../policy/evaluate/evaluate.ts';
import { writtenRequest } from '../../policy/access/witness.ts';
import type { GroupedChange, MeshComparison } from './compare.ts';
import { requestLine } from './print-request.ts';

const COLUMNS: ReadonlySet<string> = new Set(['method', 'path']);

function of({ conditions, protocol }: Change, key: string): string {
  return protocol === 'TCP' ? '-' : describedText(conditions.find((one) => one.key === key)?.description);
}

function others({ conditions }: Change): readonly string[] {
  return conditions.filter(({ key }) => !COLUMNS.has(key)).map(({ key, description }) => `${key}: ${describedText(description)}`);
}

/** Names shown of the workloads that share a row, in what people read. */
const MOST_SHOWN = 5;

function to({ destinations, ports, otherPorts, protocol }: GroupedChange): string {
  const named = ports.join(', ');
  const port = otherPorts ? (named === '' ? 'any port' : `${named} and any other`) : named;
  const shown = destinations.slice(0, MOST_SHOWN).join(', ');
  const rest = destinations.length - MOST_SHOWN;
  return `${shown}${rest > 0 ? ` and ${rest} more,` : ''} ${destinations.length > 1 ? 'port ' : ''}${port} (${protocol})`;
}

function decidedBy({ decision, policy, rule, reason }: Verdict): string {
  if (policy === undefined) return `${decision}: ${reason.split(';')[0] ?? reason}`;
  return `${decision} by ${policy}${rule === undefined ? '' : ` rule ${rule}`}`;
}

interface Cells {
  readonly change: string;
  readonly from: readonly string[];
  readonly cells: readonly string[];
  readonly conditions: readonly string[];
  readonly example: readonly string[];
}

function cellsOf(change: GroupedChange, trustDomain: string): Cells {
  return {
    change: change.now === 'ALLOW' ? '+ allowed' : '- denied',
    from: callerTexts(change.callers, trustDomain),
    cells: [to(change), of(change, 'method'), of(change, 'path')],
    conditions: others(change),
    example: [requestLine(change.example.after), `was ${decidedBy(change.before)}`, `now ${decidedBy(change.after)}`],
  };
}

const HEAD = ['CHANGE', 'FROM', 'TO', 'METHODS', 'PATHS', 'CONDITIONS', 'FOR EXAMPLE'];

function summary({ changes }: MeshComparison): string {
  const allowed = changes.filter(({ now }) => now === 'ALLOW').length;
  if (changes.length === 0) return 'access is the same';
  return `${allowed} newly allowed, ${changes.length - allowed} newly denied`;
}

function table(found: MeshComparison, trustDomain: string): string {
  if (found.changes.length === 0) return `${summary(found)}\n`;
  const rows = new Table({
    head: HEAD,
    style: { head: [], border: [] },
    colWidths: [null, null, null, null, null, null, 52],
    wordWrap: true,
  });
  for (const change of found.changes) {
    const { change: what, from, cells, conditions, example } = cellsOf(change, trustDomain);
    rows.push([what, from.join('\n'), ...cells, conditions.length === 0 ? '-' : conditions.join('\n'), example.join('\n')]);
  }
  return `${rows.toString()}\n${summary(found)}\n`;
}

function markdownCell(lines: readonly string[]): string {
  const escaped = lines.map((line) =>
    line.replaceAll('\\', '\\\\').replaceAll('|', '\\|').replaceAll('*', '\\*').replaceAll('<', '&lt;'),
  );
  return escaped.length === 0 ? '-' : escaped.join('<br>');
}

function markdown(found: MeshComparison, trustDomain: string): string {
  if (found.changes.length === 0) return `${summary(found)}\n`;
  const rows = found.changes.map((change) => {
    const { change: what, from, cells, conditions, example } = cellsOf(change, trustDomain);
    const all = [[what], from, ...cells.map((cell) => [cell]), conditions, example];
    return `| ${all.map(markdownCell).join(' | ')} |`;
  });
  const head = HEAD.map((one) => one.charAt(0) + one.slice(1).toLowerCase());
  return `${[`| ${head.join(' | ')} |`, `|${head.map(() => ' --- |').join('')}`, ...rows].join('\n')}\n\n${summary(found)}\n`;
}

function verdictRow({ decision, policy, rule, reason }: Verdict): object {
  return { decision, policy: policy ?? null, rule: rule ?? null, reason };
}

/** For machines; the examples are as `gatehouse policy check` takes them. */
function rowsOf({ changes, untold, notes }: MeshComparison): object {
  return {
    changes: changes.map((change) => {
      const condition = (key: string): unknown =>
        change.protocol === 'TCP' ? null : describedRow(change.conditions.find((one) => one.key === key)?.description);
      return {
        change: change.now === 'ALLOW' ? 'allowed' : 'denied',
        from: change.callers,
        to: {
          workload: change.destination,
          workloads: change.destinations,
          ports: change.ports,
          anyOtherPort: change.otherPorts,
          protocol: change.protocol,
        },
        methods: condition('method'),
        paths: condition('path'),
        conditions: change.conditions
          .filter(({ key }) => !COLUMNS.has(key))
          .map(({ key, description }) => ({ key, values: describedRow(description) })),
        example: {
          before: { request: writtenRequest('before', change.example.before), ...verdictRow(change.before) },
          after: { request: writtenRequest('after', change.example.after), ...verdictRow(change.after) },
        },
        confirmed: change.confirmed,
      };
    }),
    tooMuchToTell: untold,
    notes,
  };
}

export const DIFF_FORMATS: ReadonlyMap<string, (found: MeshComparison, trustDomain: string) => string> = new Map([
  ['table', table],
  ['json', (found) => `${JSON.stringify(rowsOf(found), undefined, 2)}\n`],
  ['yaml', (found) => stringify(rowsOf(found), { aliasDuplicateObjects: false })],
  ['markdown', markdown],
]);
