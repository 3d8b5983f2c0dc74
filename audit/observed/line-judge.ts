import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Destination } from '../../policy/access/world.ts';
import { judge } from '../../policy/observed/judge.ts';
import type { Judgement } from '../../policy/observed/judgement.ts';
import type { Line } from '../report/report.ts';
import { observedCall } from './calls.ts';

export type LineJudge = (line: Line) => Judgement;

const NOWHERE: Judgement = Object.freeze({ kind: 'unknown', why: 'it arrived at no workload that the mesh knew' });

/** Judges the lines of a report by the policies of a snapshot. */
export function lineJudge(snapshot: Snapshot, destinations: ReadonlyMap<string, Destination>): LineJudge {
  const judging = judge(snapshot, destinations);
  return (line) => {
    const call = observedCall(line);
    return call === undefined ? NOWHERE : judging(call);
  };
}
