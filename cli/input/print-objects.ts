import Table from 'cli-table3';
import { stringify } from 'yaml';
import { type Column, gatewayApiColumns, meshColumns } from './gateway-api-columns.ts';
import { resourceOf } from './kind-names.ts';
import type { Manifest } from './manifest.ts';

export interface PrintFlags {
  readonly allNamespaces?: boolean;
  readonly output: 'table' | 'wide' | 'yaml' | 'json' | 'name';
}

/** @param live what a cluster has has an age, and a status that somebody wrote */
export function printObjects(found: readonly Manifest[], single: boolean, flags: PrintFlags, now: Date, live: boolean): void {
  const { output, allNamespaces } = flags;
  const values = found.map(({ value }) => value);
  const [first] = values;
  const whole = single && values.length === 1 ? first : { apiVersion: 'v1', kind: 'List', items: values };
  switch (output) {
    case 'json':
      process.stdout.write(`${JSON.stringify(whole, null, 2)}\n`);
      return;
    case 'yaml':
      process.stdout.write(stringify(whole, { lineWidth: 0, aliasDuplicateObjects: false }));
      return;
    case 'name':
      for (const one of found) process.stdout.write(`${resourceOf(one.kind, one.apiVersion)}/${one.name}\n`);
      return;
    case 'table':
    case 'wide':
      if (found.length > 0)
        process.stdout.write(`${tables(found, { namespaces: allNamespaces === true, wide: output === 'wide', now, live })}\n`);
      return;
  }
  output satisfies never;
}

interface Form {
  readonly namespaces: boolean;
  readonly wide: boolean;
  readonly now: Date;
  readonly live: boolean;
}

/** One table for kinds with columns in common, as kubectl prints them. */
function tables(found: readonly Manifest[], form: Form): string {
  const several = new Set(found.map(({ kind }) => kind)).size > 1;
  const groups = Map.groupBy(found, ({ kind, apiVersion }) => {
    if (gatewayApiColumns(kind, form.wide, form.now) !== undefined) return kind;
    return form.live && !hasRoutes(apiVersion) ? 'other' : '';
  });
  return [...groups].map(([kind, group]) => table(columnsOf(kind, form), group, several, form)).join('\n\n');
}

function hasRoutes(apiVersion: string): boolean {
  return /istio\.io\/|^gatehouse\.dev\//.test(apiVersion);
}

function columnsOf(group: string, { wide, now, live }: Form): readonly Column[] {
  return gatewayApiColumns(group, wide, now) ?? meshColumns(group === 'other' ? 'other' : 'mesh', { wide, now, live });
}

const CHARS = Object.freeze({
  ...Object.fromEntries(
    ['top', 'bottom', 'left', 'mid', 'right'].flatMap((side) => [
      [side, ''],
      [`${side}-mid`, ''],
    ]),
  ),
  'top-left': '',
  'top-right': '',
  'bottom-left': '',
  'bottom-right': '',
  middle: '  ',
});

function table(columns: readonly Column[], found: readonly Manifest[], several: boolean, { namespaces }: Form): string {
  const rows = new Table({
    chars: CHARS,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    head: [...(namespaces ? ['NAMESPACE'] : []), 'NAME', ...columns.map(([heading]) => heading)],
  });
  for (const one of found) {
    const name = several ? `${resourceOf(one.kind, one.apiVersion)}/${one.name}` : one.name;
    rows.push([...(namespaces ? [one.namespace] : []), name, ...columns.map(([, of]) => of(one.value))]);
  }
  return rows
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
