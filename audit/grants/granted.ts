import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { type Caller, callerTexts } from '../../policy/access/callers.ts';
import { describedText } from '../../policy/access/describe.ts';
import { type Grant, type PortTable } from '../../policy/access/table.ts';
import { whoCan } from '../../policy/access/who-can.ts';
import type { Destination } from '../../policy/access/world.ts';
import type { Line } from '../report/report.ts';
import type { LineJudge } from '../observed/line-judge.ts';

/** The calls that were seen of one who may call. */
export interface Use {
  readonly calls: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
}

/** What a caller may do at a destination, and how much it did of it. */
export interface GrantRow {
  readonly destination: string;
  readonly caller: Caller;
  readonly callerText: string;
  readonly ports: string;
  readonly methods: string;
  readonly paths: string;
  readonly conditions: string;
  readonly by: readonly string[];
  readonly use: Use;
}

export const UNUSED: Use = Object.freeze({ calls: 0, firstSeen: 0, lastSeen: 0 });

/** What was allowed, by destination, caller and rule. */
export interface Uses {
  /** Calls of this identity (with its scheme; empty: plain text) to this workload that one of these rules lets in. */
  of(destination: string, principal: string, by: readonly string[]): Use;
  /** ... of anybody whose identity is not among these. */
  ofOthers(destination: string, except: ReadonlySet<string>, by: readonly string[]): Use;
}

function sum(uses: Iterable<Use>): Use {
  let all = UNUSED;
  for (const one of uses)
    all =
      all.calls === 0
        ? one
        : {
            calls: all.calls + one.calls,
            firstSeen: Math.min(all.firstSeen, one.firstSeen),
            lastSeen: Math.max(all.lastSeen, one.lastSeen),
          };
  return all;
}

const NO_POLICY = '';

/** Which rules let the calls in that were seen: as the proxy said then, and as today's policies would. */
export function usesOf(lines: Iterable<Line>, judge: LineJudge): Uses {
  const found = new Map<string, Map<string, Map<string, Use>>>();
  for (const line of lines) {
    const { key, tally } = line;
    if (key.decision === 'DENY' || key.verdict === 'unreached' || key.destinationWorkload === '') continue;
    const today = judge(line);
    const rules = new Set([
      ...(key.verdict === 'allowed-by-rule' ? [`${key.policy} rule ${key.rule}`] : []),
      ...(today.kind === 'granted' ? [today.by] : []),
    ]);
    const callers = found.get(key.destinationWorkload) ?? new Map<string, Map<string, Use>>();
    found.set(key.destinationWorkload, callers);
    const uses = callers.get(key.sourcePrincipal) ?? new Map<string, Use>();
    callers.set(key.sourcePrincipal, uses);
    const use = { calls: tally.count, firstSeen: tally.firstSeen, lastSeen: tally.lastSeen };
    // A call counts once for each rule that may have let it in, so that no rule that was used is said not to be.
    for (const rule of rules) uses.set(rule, sum([uses.get(rule) ?? UNUSED, use]));
  }
  const matching = (uses: ReadonlyMap<string, Use>, by: readonly string[]): Use => {
    const wanted = by.length === 0 ? [NO_POLICY] : by;
    return sum(wanted.flatMap((rule) => uses.get(rule) ?? []));
  };
  return {
    of: (destination, principal, by) => matching(found.get(destination)?.get(principal) ?? new Map<string, Use>(), by),
    ofOthers: (destination, except, by) =>
      sum(
        [...(found.get(destination) ?? [])].flatMap(([principal, uses]) => (except.has(principal) ? [] : [matching(uses, by)])),
      ),
  };
}

function described({ conditions }: Grant, key: string): string {
  return describedText(conditions.find((one) => one.key === key)?.description);
}

function portsText({ ports, others }: PortTable): string {
  return [...ports.map(String), ...(others ? ['any other'] : [])].join(', ');
}

function rowsOf(destination: Destination, table: PortTable, grant: Grant, uses: Uses, trustDomain: string): readonly GrantRow[] {
  const others = grant.conditions.filter(({ key }) => key !== 'method' && key !== 'path');
  const named = new Set(grant.callers.flatMap((caller) => (caller.kind === 'identity' ? [`spiffe://${caller.principal}`] : [])));
  return grant.callers.map((caller): GrantRow => {
    const by = grant.by;
    const use =
      caller.kind === 'identity'
        ? uses.of(destination.name, `spiffe://${caller.principal}`, by)
        : caller.kind === 'plain-text'
          ? uses.of(destination.name, '', by)
          : uses.ofOthers(destination.name, new Set([...named, '']), by);
    return {
      destination: destination.name,
      caller,
      callerText: callerTexts([caller], trustDomain).join(' '),
      ports: portsText(table),
      methods: table.protocol === 'TCP' ? '' : described(grant, 'method'),
      paths: table.protocol === 'TCP' ? '' : described(grant, 'path'),
      conditions: others.map(({ key, description }) => `${key}: ${describedText(description)}`).join('; '),
      by,
      use,
    };
  });
}

export interface Granted {
  readonly rows: readonly GrantRow[];
  /** ALLOW policies apply: somebody said who may call. */
  readonly governed: boolean;
  /** False when there were too many kinds of requests to tell apart, so that some may be missing. */
  readonly complete: boolean;
}

/** Who may call a destination, and who of them did. */
export function grantedOn(snapshot: Snapshot, destination: Destination, known: readonly string[], uses: Uses): Granted {
  const { tables, complete } = whoCan({ snapshot, destination }, known, {});
  const { trustDomain } = snapshot.meshConfig;
  const grants = tables.flatMap((table) => table.grants.map((grant) => ({ table, grant })));
  const rows = grants.flatMap(({ table, grant }) => rowsOf(destination, table, grant, uses, trustDomain));
  return {
    rows,
    governed: grants.length === 0 || grants.some(({ grant }) => grant.by.length > 0),
    complete: complete && tables.every(({ untold }) => untold.length === 0),
  };
}
