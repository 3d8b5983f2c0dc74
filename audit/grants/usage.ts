import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Destination } from '../../policy/access/world.ts';
import type { Judgement } from '../../policy/observed/judgement.ts';
import { lineJudge } from '../observed/line-judge.ts';
import type { Line, Report } from '../report/report.ts';
import { grantedOn, type GrantRow, usesOf } from './granted.ts';

/** A call that was seen, and what today's policies say of it. */
export interface JudgedLine {
  readonly line: Line;
  readonly judgement: Judgement;
}

/** What policies grant against what was done. */
export interface Usage {
  /** Went through, and would be refused today. */
  readonly usedNotGranted: readonly JudgedLine[];
  /** Was denied, and would be let through today. */
  readonly deniedButGranted: readonly JudgedLine[];
  /** Somebody said that they may, and nobody did. */
  readonly grantedNotUsed: readonly GrantRow[];
  /** Workloads that no ALLOW policy speaks of: everybody may call them. */
  readonly open: readonly string[];
  /** Calls of which records do not say enough to judge them. */
  readonly undecided: number;
  /** Destinations of which some grants may be missing, since there are too many kinds of requests. */
  readonly incomplete: readonly string[];
  /** The policies that were asked, `NAMESPACE/NAME`. */
  readonly policies: readonly string[];
}

export interface Mesh {
  readonly snapshot: Snapshot;
  readonly destinations: readonly Destination[];
  /** SPIFFE IDs without their scheme of the workloads that are there. */
  readonly identities: readonly string[];
}

/** Joins what was seen with what policies say. Pure. */
export function usage({ lines }: Pick<Report, 'lines'>, { snapshot, destinations, identities }: Mesh): Usage {
  const byName = new Map(destinations.map((one) => [one.name, one]));
  const judging = lineJudge(snapshot, byName);
  const usedNotGranted: JudgedLine[] = [];
  const deniedButGranted: JudgedLine[] = [];
  let undecided = 0;
  for (const line of lines) {
    if (line.key.verdict === 'unreached') continue;
    const judgement = judging(line);
    if (judgement.kind === 'depends' || judgement.kind === 'unknown') undecided += line.tally.count;
    else if (judgement.kind === 'not-granted' && line.key.decision === 'ALLOW') usedNotGranted.push({ line, judgement });
    else if (judgement.kind === 'granted' && line.key.decision === 'DENY') deniedButGranted.push({ line, judgement });
  }
  const uses = usesOf(lines, judging);
  const granted = destinations.map((destination) => ({
    destination,
    ...grantedOn(snapshot, destination, identities, uses),
  }));
  return {
    usedNotGranted,
    deniedButGranted,
    grantedNotUsed: granted.flatMap(({ rows, governed }) => (governed ? rows.filter(({ use }) => use.calls === 0) : [])),
    open: granted.filter(({ governed }) => !governed).map(({ destination }) => destination.name),
    undecided,
    incomplete: granted.filter(({ complete }) => !complete).map(({ destination }) => destination.name),
    policies: snapshot.authorizationPolicies.map(({ meta }) => `${meta.namespace}/${meta.name}`).toSorted(),
  };
}
