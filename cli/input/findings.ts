import { TogetherChecks } from '../../mesh/admit/check/check-together.ts';
import { located } from '../../mesh/admit/locate.ts';
import type { Written } from '../../mesh/admit/written.ts';
import { type WrittenObjects, writtenObjects } from '../../mesh/admit/written-objects.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { policyDiagnosticsByPart } from '../../policy/diagnose/policy-diagnostics.ts';

/**
 * What is found about objects together, once each of them has been admitted: nothing that is in effect depends on it, so
 * it may come after the configuration has been sent. Part by part, for a process that has more to do.
 * @param checks those of the same mesh before: what they found of what did not change stays
 */
export function* findingsByPart(
  checks: TogetherChecks,
  snapshot: Snapshot,
  written: WrittenObjects,
  now: Date,
): Generator<readonly Diagnostic[]> {
  for (const part of policyDiagnosticsByPart(snapshot)) yield located(part, written);
  yield* checks.parts(written, snapshot, now);
}

export function findings(snapshot: Snapshot, written: readonly Written[], now: Date): readonly Diagnostic[] {
  return allFindings(snapshot, writtenObjects(written), now);
}

export function allFindings(snapshot: Snapshot, written: WrittenObjects, now: Date): readonly Diagnostic[] {
  return [...findingsByPart(new TogetherChecks(), snapshot, written, now)].flat();
}
