import type { Destination } from '../../policy/access/world.ts';
import type { Judgement } from '../../policy/observed/judgement.ts';
import { type LineJudge, lineJudge } from '../observed/line-judge.ts';
import { addUses, type CertificateUse } from '../model/certificate-use.ts';
import { wouldBeDenied } from '../report/reason.ts';
import type { Line, Report } from '../report/report.ts';
import { grantedOn, type GrantRow, usesOf } from './granted.ts';

import type { Mesh } from './usage.ts';

/** One who called, with all its calls to one destination by what became of them. */
export interface CallerRow {
  readonly destination: string;
  readonly principal: string;
  readonly workload: string;
  readonly allowed: number;
  readonly denied: number;
  readonly wouldBeDenied: number;
  readonly unreached: number;
  readonly plainText: number;
  readonly calls: number;
  /** Methods and path templates, sorted. */
  readonly requests: readonly string[];
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** Those that the destination's proxy named. */
  readonly certificates: readonly CertificateUse[];
  /** What today's policies say of the calls, each once, the worst first. */
  readonly judgements: readonly Judgement[];
}

/** Who may and who did call one destination. */
export interface Asked {
  readonly destination: string;
  /** Undefined without a configuration to ask. */
  readonly may: readonly GrantRow[] | undefined;
  readonly governed: boolean;
  readonly complete: boolean;
  readonly did: readonly CallerRow[];
}

const RANK: Readonly<Record<Judgement['kind'], number>> = Object.freeze({ 'not-granted': 0, depends: 1, unknown: 2, granted: 3 });

function goesTo({ key }: Line, { name, namespace, hosts }: Pick<Destination, 'name' | 'namespace' | 'hosts'>): boolean {
  if (key.destinationWorkload !== '') return key.destinationWorkload === name;
  // It never arrived, or nobody knows at which workload: the service says where it was to go.
  return key.service.split('.')[1] === namespace && hosts.includes(key.service);
}

function merged(
  row: CallerRow | undefined,
  destination: string,
  { key, tally, certificates }: Line,
  judgement: Judgement | undefined,
): CallerRow {
  const before: CallerRow = row ?? {
    destination,
    principal: key.sourcePrincipal,
    workload: key.sourceWorkload,
    allowed: 0,
    denied: 0,
    wouldBeDenied: 0,
    unreached: 0,
    plainText: 0,
    calls: 0,
    requests: [],
    firstSeen: tally.firstSeen,
    lastSeen: tally.lastSeen,
    certificates: [],
    judgements: [],
  };
  const unreached = key.verdict === 'unreached';
  const count = (is: boolean): number => (is ? tally.count : 0);
  const request = key.protocol === 'TCP' ? 'TCP' : `${key.method} ${key.path}`;
  const same = (one: Judgement): boolean => JSON.stringify(one) === JSON.stringify(judgement);
  return {
    ...before,
    allowed: before.allowed + count(!unreached && key.decision === 'ALLOW'),
    denied: before.denied + count(key.decision === 'DENY'),
    wouldBeDenied: before.wouldBeDenied + count(wouldBeDenied(key)),
    unreached: before.unreached + count(unreached),
    plainText: before.plainText + count(!unreached && !key.mtls),
    calls: before.calls + tally.count,
    requests: before.requests.includes(request) ? before.requests : [...before.requests, request].sort(),
    firstSeen: Math.min(before.firstSeen, tally.firstSeen),
    lastSeen: Math.max(before.lastSeen, tally.lastSeen),
    certificates: addUses(before.certificates, certificates, Number.POSITIVE_INFINITY) ?? [],
    judgements:
      judgement === undefined || before.judgements.some(same)
        ? before.judgements
        : [...before.judgements, judgement].sort((one, other) => RANK[one.kind] - RANK[other.kind]),
  };
}

function didCall(lines: readonly Line[], destination: Destination, judging: LineJudge | undefined): readonly CallerRow[] {
  const rows = new Map<string, CallerRow>();
  for (const line of lines) {
    if (!goesTo(line, destination)) continue;
    const { sourcePrincipal, sourceWorkload, verdict } = line.key;
    const at = `${sourceWorkload}\n${sourcePrincipal}`;
    const judgement = verdict === 'unreached' ? undefined : judging?.(line);
    rows.set(at, merged(rows.get(at), destination.name, line, judgement));
  }
  return [...rows].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, row]) => row);
}

/** The article's question: who may and who did call these. Without a configuration only who did. */
export function whoOf(
  { lines }: Pick<Report, 'lines'>,
  destinations: readonly Destination[],
  mesh: Mesh | undefined,
): readonly Asked[] {
  const judging = mesh && lineJudge(mesh.snapshot, new Map(mesh.destinations.map((one) => [one.name, one])));
  const uses = judging && usesOf(lines, judging);
  return destinations.map((destination) => {
    const granted = mesh && uses && grantedOn(mesh.snapshot, destination, mesh.identities, uses);
    return {
      destination: destination.name,
      may: granted?.rows,
      governed: granted?.governed ?? true,
      complete: granted?.complete ?? true,
      did: didCall(lines, destination, judging),
    };
  });
}
