import type { Value } from './values.ts';
import { has } from './box.ts';
import type { Caller } from './callers.ts';
import { type Grant, type PortTable, accessTable } from './table.ts';
import type { Side, Within } from './world.ts';

/** Ask about one caller only: its SPIFFE ID without the scheme, or plain text. */
export interface OneCaller {
  readonly value: Value;
  readonly shown: Caller;
}

export interface Answer {
  readonly destination: Side['destination'];
  readonly tables: readonly PortTable[];
  /** False when there were too many kinds of requests, so that some may be missing. */
  readonly complete: boolean;
}

/** What one side grants on a destination: to anybody, or to one caller. */
export function whoCan(side: Side, known: readonly string[], within: Within, one?: OneCaller): Answer {
  const { destination } = side;
  const id = one?.value?.[0];
  const { world, tables } = accessTable(side, id === undefined ? known : [...known, id], within);
  if (one === undefined) return { destination, tables, complete: world.complete };
  const at = world.callers.classes.findIndex(({ values }) => values.some((value) => value?.[0] === id));
  const mine = ({ callerBits }: Grant): boolean => has(callerBits, at);
  return {
    destination,
    complete: world.complete,
    tables: tables.map((table) => ({
      ...table,
      grants: table.grants.filter(mine).map((grant) => ({ ...grant, callers: [one.shown] })),
    })),
  };
}
