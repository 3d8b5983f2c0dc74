import { stringify } from 'yaml';
import { resourceOf } from '../kind-names.ts';
import type { Manifest } from '../manifest.ts';
import { withHint } from './session.ts';

export type Output = 'json' | 'yaml' | 'name';

/** What became of one object. */
export interface Row {
  readonly manifest: Pick<Manifest, 'kind' | 'apiVersion' | 'namespace' | 'name'>;
  /** `failed`: the cluster refused it; `not sent`: something before it made that useless. */
  readonly outcome: string;
  readonly reason?: string | undefined;
  readonly hint?: string | undefined;
  /** As the server has it then. */
  readonly object?: Readonly<Record<string, unknown>> | undefined;
}

export const DRY: Readonly<Record<'none' | 'client' | 'server', string>> = Object.freeze({
  none: '',
  client: ' (dry run)',
  server: ' (server dry run)',
});

/** Prints what was done on stdout and what was not on stderr. Exit code 1 when anything was not. */
export function report(command: string, rows: readonly Row[], output: Output | undefined, dryRun: keyof typeof DRY): void {
  const nameOf = ({ manifest }: Row): string => `${resourceOf(manifest.kind, manifest.apiVersion)}/${manifest.name}`;
  const placeOf = (row: Row): string =>
    `${nameOf(row)}${row.manifest.namespace === '' ? '' : ` in namespace ${row.manifest.namespace}`}`;
  const failed = rows.filter(isFailure);
  const done = rows.filter((row) => !isFailure(row));
  switch (output) {
    case 'json':
      process.stdout.write(`${JSON.stringify(rows.map(jsonRow), null, 2)}\n`);
      break;
    case 'yaml':
      for (const { object } of done)
        if (object !== undefined)
          process.stdout.write(`---\n${stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })}`);
      break;
    case 'name':
      for (const row of done) process.stdout.write(`${nameOf(row)}\n`);
      break;
    case undefined:
      for (const row of done) process.stdout.write(`${nameOf(row)} ${row.outcome}${DRY[dryRun]}\n`);
      break;
    default:
      output satisfies never;
  }
  for (const row of failed)
    process.stderr.write(`gatehouse ${command}: ${placeOf(row)}: ${withHint(row.reason ?? row.outcome, row.hint)}\n`);
  if (failed.length === 0) return;
  if (rows.length > 1)
    process.stderr.write(
      `gatehouse ${command}: ${failed.length} of ${rows.length} objects failed, ${done.length} ${done.length === 1 ? 'was' : 'were'} done\n`,
    );
  process.exitCode = 1;
}

function isFailure({ outcome }: Row): boolean {
  return outcome === 'failed' || outcome === 'not sent';
}

function jsonRow({ manifest: { kind, apiVersion, namespace, name }, outcome, reason, hint }: Row): object {
  return { kind, apiVersion, namespace, name, outcome, reason: reason ?? null, hint: hint ?? null };
}
