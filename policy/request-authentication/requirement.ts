import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type JwtRequirement, JwtRequirementSchema } from '#gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js';

/** One provider, by its name in the filter. */
export interface Named {
  readonly name: string;
  /** A request without its token is refused. */
  readonly required: boolean;
}

type Part = MessageInitShape<typeof JwtRequirementSchema>;

function provider({ name }: Named): Part {
  return { requiresType: { case: 'providerName', value: name } };
}

/** A list of one is not a list for Envoy. */
function joined(kind: 'requiresAny' | 'requiresAll', requirements: readonly [Part, ...Part[]]): Part {
  const [first, ...rest] = requirements;
  return rest.length === 0 ? first : { requiresType: { case: kind, value: { requirements: [...requirements] } } };
}

/** The token of this provider, or none where it would be. */
function orMissing(one: Named): Part {
  return joined('requiresAny', [provider(one), { requiresType: { case: 'allowMissing', value: {} } }]);
}

/**
 * What a request must satisfy, as Istio has it: the token of some provider; or for each provider its own or none where it
 * looks. The first half is for providers that look in the same place, where the other's token is a wrong one to each.
 * Providers whose token is required come before that, while their tokens are still in the request.
 */
export function requirement(providers: readonly [Named, ...Named[]]): JwtRequirement {
  const [first, ...others] = providers;
  const required = providers.filter((one) => one.required).map(provider);
  const [mandatory, ...more] = required;
  const optional = providers.filter((one) => !one.required).map(orMissing);
  const [inner, ...rest] = optional;
  if (inner === undefined) return create(JwtRequirementSchema, joined('requiresAll', [provider(first), ...others.map(provider)]));
  if (others.length === 0) return create(JwtRequirementSchema, inner);
  const each = joined('requiresAll', [inner, ...rest]);
  const any = joined('requiresAny', [provider(first), ...others.map(provider), each]);
  if (mandatory === undefined) return create(JwtRequirementSchema, any);
  return create(JwtRequirementSchema, joined('requiresAll', [mandatory, ...more, any]));
}
