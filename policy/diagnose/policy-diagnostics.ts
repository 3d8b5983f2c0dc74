import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { hostBits } from './address-blocks.ts';
import { customPolicies } from './custom.ts';
import { unknownHosts } from './hosts.ts';
import { httpOnTcp } from './http-on-tcp.ts';
import { unknownCallers } from './identities.ts';
import { literalValues } from './literal-values.ts';
import { unknownMethods } from './methods.ts';
import { contradictions } from './never-matches.ts';
import { openAndClosed } from './open-and-closed.ts';
import { impossiblePaths } from './paths.ts';
import { peerAuthentication } from './peer-authentication.ts';
import { plainText } from './plain-text.ts';
import { unknownPorts } from './ports.ts';
import { clusterCalls } from './probes.ts';
import { unknownProviders } from './providers.ts';
import { reachesNothing } from './reach.ts';
import { shadowedRules } from './shadowed.ts';
import { Survey } from './survey.ts';
import { unverifiedTokens } from './tokens.ts';

const PASSES: readonly ((survey: Survey) => readonly Diagnostic[])[] = Object.freeze([
  reachesNothing,
  unknownProviders,
  customPolicies,
  literalValues,
  impossiblePaths,
  unknownMethods,
  hostBits,
  unknownCallers,
  unknownPorts,
  unknownHosts,
  httpOnTcp,
  contradictions,
  shadowedRules,
  openAndClosed,
  plainText,
  unverifiedTokens,
  peerAuthentication,
  clusterCalls,
]);

/** {@link policyDiagnostics} part by part, for who has other things to do in between. */
export function* policyDiagnosticsByPart(snapshot: Snapshot): Generator<readonly Diagnostic[]> {
  const survey = new Survey(snapshot);
  for (const pass of PASSES) yield pass(survey);
}

/** What of the admitted policies does not do what it seems to say, and what that does to this mesh. */
export function policyDiagnostics(snapshot: Snapshot): readonly Diagnostic[] {
  return [...policyDiagnosticsByPart(snapshot)].flat();
}
