import type { Command } from 'commander';
import { withoutScheme } from '../../ca/identity/spiffe-id.ts';
import type { Cell, Column, Table } from '../../audit/document/document.ts';
import { cell } from '../../audit/document/document.ts';
import { iso } from '../../audit/report/about.ts';
import type { StoreFilter } from '../../audit/model/edge-filter.ts';
import { parseQuestion } from '../../audit/report/question.ts';
import type { ObservedCall } from '../../policy/observed/call.ts';
import { dbOption, storeOf, type StoreFlags, withPeriod } from '../audit/options.ts';
import { fail } from './mesh.ts';
import { type Evidence, evidenceFrom } from './suggest-evidence.ts';

export interface ObservedFlags extends StoreFlags {
  readonly since?: string;
  readonly until?: string;
  readonly namespace?: string;
  readonly workload?: string;
}

/** Which calls: those that arrived at these. */
export function withObserved(command: Command): Command {
  return withPeriod(command.addOption(dbOption()))
    .option('--namespace <name>', 'only calls to this namespace')
    .option('--workload <namespace/name>', 'only calls to this workload');
}

/** What the store answers; undefined where it cannot be read, which is said in the name of the command. */
export async function asking<T>(command: string, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return fail(command, 1, `${why} (name the control plane's audit store with --db)`);
  }
}

/** A name that is misspelt is no proof of anything. */
function nobodyThere({ namespace, workload }: ObservedFlags, places: readonly Place[]): string | undefined {
  const there = (test: (name: string) => boolean): boolean => places.some(({ name }) => test(name));
  const known = `there are ${places
    .slice(0, 20)
    .map(({ name }) => name)
    .join(', ')}${places.length > 20 ? ', ...' : ''}`;
  if (workload !== undefined && !there((name) => name === workload))
    return `there is no workload ${workload} in the configuration, and no record of one; ${known}`;
  if (namespace !== undefined && !there((name) => name.startsWith(`${namespace}/`)))
    return `there is no workload in namespace ${namespace} in the configuration, and no record of one; ${known}`;
  return undefined;
}

interface Place {
  /** `NAMESPACE/NAME`. */
  readonly name: string;
}

/**
 * The calls that were seen; what the records do not have is said. Undefined: they cannot be read, or the question is wrong.
 *
 * @param places the workloads that there are, where a question about others makes no sense
 */
export async function observedFor(
  command: string,
  flags: ObservedFlags,
  now: Date,
  places?: readonly Place[],
): Promise<Evidence | undefined> {
  const question = parseQuestion({ since: flags.since, until: flags.until }, now);
  if (!question.ok) return fail(command, 2, `--${question.reason}`);
  const { since } = question.value.period;
  if (since !== undefined && since > now.getTime())
    return fail(command, 2, `--since: ${iso(since)} is yet to come: no call is known after it`);
  const { namespace, workload } = flags;
  if (workload !== undefined && !/^[^/]+\/[^/]+$/.test(workload)) return fail(command, 2, '--workload takes NAMESPACE/NAME');
  const filter: StoreFilter = namespace === undefined && workload === undefined ? {} : { to: { namespace, workload } };
  const observed = await asking(command, () => storeOf(flags).query({ ...question.value.period, filter }));
  if (observed === undefined) return undefined;
  const evidence = evidenceFrom(observed, question.value, now);
  const nobody = evidence.calls.length > 0 || places === undefined ? undefined : nobodyThere(flags, places);
  if (nobody !== undefined) return fail(command, 2, nobody);
  for (const text of evidence.missing) process.stderr.write(`warning: ${text}: calls may be missing\n`);
  if (evidence.calls.length === 0) process.stderr.write('warning: no calls were recorded: nothing is proven\n');
  return evidence;
}

/** Who called, as people know them. */
export function callerOf({ principal, caller, address }: ObservedCall): string {
  const workload = caller === undefined ? '' : ` (${caller})`;
  if (principal !== undefined) return `${withoutScheme(principal)}${workload}`;
  return `plain text from ${address ?? 'an unknown address'}${workload}`;
}

export const CALL_COLUMNS: readonly Column[] = Object.freeze([
  { title: 'caller' },
  { title: 'destination' },
  { title: 'port' },
  { title: 'request' },
  { title: 'calls' },
  { title: 'last seen' },
]);

export function callCells(call: ObservedCall): readonly Cell[] {
  return [
    cell(callerOf(call)),
    cell(call.destination),
    cell(call.port === undefined ? '' : String(call.port)),
    cell(call.protocol === 'TCP' ? 'TCP' : `${call.method ?? ''} ${call.path ?? ''}`),
    cell(call.count),
    cell(iso(call.lastSeen)),
  ];
}

/** Calls as rows, each with something that is said of it. */
export function callTable<T extends { readonly call: ObservedCall }>(
  rows: readonly T[],
  title: string,
  say: (row: T) => string,
): Table {
  return {
    columns: [...CALL_COLUMNS, { title }],
    *rows() {
      for (const row of rows) yield [...callCells(row.call), cell(say(row))];
    },
  };
}

/** A call in the stable shape of `-o json`. */
export function callJson(call: ObservedCall): Readonly<Record<string, unknown>> {
  return {
    principal: call.principal ?? null,
    caller: call.caller ?? null,
    address: call.address ?? null,
    destination: call.destination,
    service: call.service ?? null,
    port: call.port ?? null,
    protocol: call.protocol,
    method: call.method ?? null,
    path: call.path ?? null,
    mtls: call.mtls,
    count: call.count,
    firstSeen: iso(call.firstSeen),
    lastSeen: iso(call.lastSeen),
  };
}

/** From when to when, and what is missing, as `-o json` has it. */
export function evidenceJson({ since, until, missing }: Evidence): Readonly<Record<string, unknown>> {
  return { since: since === undefined ? null : iso(since), until: iso(until), missing };
}

export function evidenceText({ since, until }: Evidence): string {
  return `calls from ${since === undefined ? 'the beginning of the records' : iso(since)} to ${iso(until)}`;
}
