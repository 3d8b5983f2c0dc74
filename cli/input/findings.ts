import { checkTogether } from '../../mesh/admit/check/check-together.ts';
import { located } from '../../mesh/admit/locate.ts';
import type { Written } from '../../mesh/admit/written.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { policyDiagnostics } from '../../policy/diagnose/policy-diagnostics.ts';

/**
 * What is found about objects together, once each of them has been admitted: nothing that is in effect depends on it, so
 * it may come after the configuration has been sent.
 */
export function findings(snapshot: Snapshot, written: readonly Written[], now: Date): readonly Diagnostic[] {
  return [...located(policyDiagnostics(snapshot), written), ...checkTogether(written, snapshot, now)];
}
