import { create } from '@bufbuild/protobuf';
import { HeaderMutationSchema } from '#gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js';
import { type JwtAuthentication, JwtAuthenticationSchema } from '#gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js';
import type { HeaderMutation } from '#gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { KnownKeys } from '../jwks/known.ts';
import type { SelectedWorkload } from '../select.ts';
import { jwtRulesFor } from './applying.ts';
import { jwtProvider } from './provider.ts';
import { requirement } from './requirement.ts';

/** The filter that verifies tokens, under the name below which policies find the claims. */
export const JWT_FILTER = 'envoy.filters.http.jwt_authn';

/** The filter in front of it that takes out of a request what only verified tokens may put in. */
export const OUTPUT_FILTER = 'gatehouse.jwt_output';

/** The RequestAuthentications of a workload as one filter; undefined when none has a rule. */
export function jwtAuthentication(
  snapshot: Snapshot,
  workload: SelectedWorkload,
  known: KnownKeys,
): JwtAuthentication | undefined {
  const rules = jwtRulesFor(snapshot, workload);
  const named = rules.map(({ rule }, index) => ({ name: `origins-${index}`, required: rule.required, rule }));
  const [first, ...others] = named;
  if (first === undefined) return undefined;
  return create(JwtAuthenticationSchema, {
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
}

/**
 * Removes the headers that rules write, whoever sent them: an application believes them. Envoy's own filter does so for
 * every provider and for preflights only since 1.40.
 */
export function outputHeaders(snapshot: Snapshot, workload: SelectedWorkload): HeaderMutation | undefined {
  const names = new Set<string>();
  for (const { rule } of jwtRulesFor(snapshot, workload)) {
    for (const { header } of rule.outputClaimToHeaders) names.add(header.toLowerCase());
    if (rule.outputPayloadToHeader !== undefined) names.add(rule.outputPayloadToHeader.toLowerCase());
  }
  if (names.size === 0) return undefined;
  const requestMutations = [...names].sort().map((name) => ({ action: { case: 'remove' as const, value: name } }));
  return create(HeaderMutationSchema, { mutations: { requestMutations } });
}
