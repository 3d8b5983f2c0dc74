import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { hostBits } from './address-blocks.ts';
import { customPolicies } from './custom.ts';
import { type Grounds, groundsIn } from './grounds.ts';
import { unknownHosts } from './hosts.ts';
import { httpOnTcp } from './http-on-tcp.ts';
import { unknownCallers } from './identities.ts';
import { literalValues } from './literal-values.ts';
import { unknownMethods } from './methods.ts';
import { contradictions } from './never-matches.ts';
import { openAndClosed } from './open-and-closed.ts';
import { impossiblePaths } from './paths.ts';
import { cutOffCallers, peerAuthentication } from './peer-authentication.ts';
import { plainText } from './plain-text.ts';
import { unknownPorts } from './ports.ts';
import { clusterCalls } from './probes.ts';
import { unknownProviders } from './providers.ts';
import { reachesNothing } from './reach.ts';
import { shadowedRules } from './shadowed.ts';
import { Survey } from './survey.ts';
import { unverifiedTokens } from './tokens.ts';

type Passes = readonly ((survey: Survey) => readonly Diagnostic[])[];

const PASSES: Passes = Object.freeze([
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

const MESH_WIDE: Passes = Object.freeze([cutOffCallers]);

function run(passes: Passes, survey: Survey): readonly Diagnostic[] {
  return Object.freeze(passes.flatMap((pass) => pass(survey)));
}

/** What was found before, by all that findings about a namespace's objects depend on. */
const found = new WeakMap<Grounds, readonly Diagnostic[]>();

/**
 * {@link policyDiagnostics} part by part, for who has other things to do in between: namespace by namespace. Only namespaces of which
 * something changed are looked into again; what is about the whole mesh is, when anything changed that it may concern.
 */
export function* policyDiagnosticsByPart(snapshot: Snapshot): Generator<readonly Diagnostic[]> {
  let known: Diagnostic[] = [];
  for (const { grounds, namespace, wide } of groundsIn(snapshot)) {
    const before = found.get(grounds);
    if (before !== undefined) {
      known.push(...before);
      continue;
    }
    const made = run(wide ? MESH_WIDE : PASSES, new Survey(snapshot, namespace));
    found.set(grounds, made);
    yield [...known, ...made];
    known = [];
  }
  yield known;
}

/** What of the admitted policies does not do what it seems to say, and what that does to this mesh. */
export function policyDiagnostics(snapshot: Snapshot): readonly Diagnostic[] {
  return [...policyDiagnosticsByPart(snapshot)].flat();
}
