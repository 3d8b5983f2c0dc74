import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { HeaderMutationSchema } from '#gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js';
import { JwtAuthenticationSchema } from '#gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js';
import type { RequestAuthentication } from '../../mesh/model/request-authentication.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { KnownKeys } from '../jwks/known.ts';
import { keptBy } from '../kept.ts';
import type { SelectedWorkload } from '../select.ts';
import { requestAuthenticationsFor, rulesOf } from './applying.ts';
import { jwtProvider } from './provider.ts';
import { requirement } from './requirement.ts';

/** The filter that verifies tokens, under the name below which policies find the claims. */
export const JWT_FILTER = 'envoy.filters.http.jwt_authn';

/** The filter in front of it that takes out of a request what only verified tokens may put in. */
export const OUTPUT_FILTER = 'gatehouse.jwt_output';

const authentication = keptBy((policies: readonly RequestAuthentication[], known: KnownKeys): Any | undefined => {
  const named = rulesOf(policies).map(({ rule }, index) => ({ name: `origins-${index}`, required: rule.required, rule }));
  const [first, ...others] = named;
  if (first === undefined) return undefined;
  const config = create(JwtAuthenticationSchema, {
    providers: Object.fromEntries(named.map(({ name, rule }) => [name, jwtProvider(rule, known)])),
    rules: [
      {
        match: { pathSpecifier: { case: 'prefix', value: '/' } },
        requirementType: { case: 'requires', value: requirement([first, ...others]) },
      },
    ],
    // A preflight (Origin and Access-Control-Request-Method) carries no token: Fetch standard, section "CORS protocol".
    bypassCorsPreflight: true,
  });
  return anyPack(JwtAuthenticationSchema, config);
});

/** The RequestAuthentications of a workload as the configuration of one filter; undefined when none has a rule. */
export function jwtAuthentication(snapshot: Snapshot, workload: SelectedWorkload, known: KnownKeys): Any | undefined {
  return authentication(requestAuthenticationsFor(snapshot, workload), known);
}

const written = keptBy((policies: readonly RequestAuthentication[]): Any | undefined => {
  const names = new Set<string>();
  for (const { rule } of rulesOf(policies)) {
    for (const { header } of rule.outputClaimToHeaders) names.add(header.toLowerCase());
    if (rule.outputPayloadToHeader !== undefined) names.add(rule.outputPayloadToHeader.toLowerCase());
  }
  if (names.size === 0) return undefined;
  const requestMutations = [...names].sort().map((name) => ({ action: { case: 'remove' as const, value: name } }));
  return anyPack(HeaderMutationSchema, create(HeaderMutationSchema, { mutations: { requestMutations } }));
});

/**
 * Removes the headers that rules write, whoever sent them: an application believes them. Envoy's own filter does so for
 * every provider and for preflights only since 1.40.
 */
export function outputHeaders(snapshot: Snapshot, workload: SelectedWorkload): Any | undefined {
  return written(requestAuthenticationsFor(snapshot, workload));
}
