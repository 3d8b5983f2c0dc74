import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import {
  type Policy,
  PolicySchema,
  type Principal,
  PrincipalSchema,
  type RBAC,
  RBACSchema,
  RBAC_Action,
} from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { RBACSchema as HttpRbacSchema } from '#gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import { RBACSchema as TcpRbacSchema } from '#gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js';
import { written } from '../written.ts';
import type { Asking } from './applying.ts';
import { editionKey, editionPrefix, markedRule, markPrefix } from './marks.ts';

/** The name of the policy that denies while the filters of one change have not all arrived, in response details and the audit. */
export const UNSETTLED = 'gatehouse-custom-unsettled';

/** Shadow rules: whatever matches is noted in the request's metadata, and goes on to the filter that asks. */
function marks({ provider, rules }: Asking): RBAC {
  const policies = rules.map((rule) => [markedRule(provider.name, rule.name), written(rule)] as const);
  return create(RBACSchema, { action: RBAC_Action.DENY, policies: Object.fromEntries(policies) });
}

const anybody = (): Policy =>
  create(PolicySchema, {
    permissions: [{ rule: { case: 'any', value: true } }],
    principals: [{ identifier: { case: 'any', value: true } }],
  });

/** The filter that marks what a provider is asked about, and notes by which edition of the rules. It stops nothing. */
export function httpMarking(asking: Asking): Any {
  const { provider, edition } = asking;
  const config = create(HttpRbacSchema, {
    rules: { action: RBAC_Action.ALLOW, policies: { [edition]: anybody() } },
    rulesStatPrefix: editionPrefix(provider.name),
    shadowRules: marks(asking),
    shadowRulesStatPrefix: markPrefix(provider.name),
  });
  return anyPack(HttpRbacSchema, config);
}

/** As {@link httpMarking}. It stands in the listener beside the filter that asks, and the two are never swapped one by one. */
export function tcpMarking(asking: Asking): Any {
  const config = create(TcpRbacSchema, {
    statPrefix: 'tcp.',
    shadowRules: marks(asking),
    shadowRulesStatPrefix: markPrefix(asking.provider.name),
  });
  return anyPack(TcpRbacSchema, config);
}

function isEdition({ provider, edition }: Asking): Principal {
  return create(PrincipalSchema, {
    identifier: {
      case: 'metadata',
      value: {
        filter: 'envoy.filters.http.rbac',
        path: [{ segment: { case: 'key', value: editionKey(provider.name) } }],
        value: { matchPattern: { case: 'stringMatch', value: { matchPattern: { case: 'exact', value: edition } } } },
      },
    },
  });
}

/**
 * Denies unless each provider's rules that ran are those that this DENY filter was made with. Filters reach a proxy one by one; without
 * this, a rule that moves from one provider to another, or to DENY, would for an instant be in neither. See docs/decisions/0010.
 */
export function unsettledPolicy(asked: readonly Asking[]): Policy {
  const settled = create(PrincipalSchema, { identifier: { case: 'andIds', value: { ids: asked.map(isEdition) } } });
  return create(PolicySchema, {
    permissions: [{ rule: { case: 'any', value: true } }],
    principals: [{ identifier: { case: 'notId', value: settled } }],
  });
}
