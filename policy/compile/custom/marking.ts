import { hash } from 'node:crypto';
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
import type { Layer } from '../field.ts';
import { written } from '../written.ts';
import type { Asking } from './applying.ts';
import { editionKey, editionPrefix, markedRule, markPrefix, TCP_EDITION_KEY, TCP_EDITION_PREFIX } from './marks.ts';

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

function tcpEdition(asked: readonly Asking[]): string {
  return `custom-${hash('sha256', asked.map(({ provider, edition }) => `${provider.name} ${edition}`).join('\n'), 'hex').slice(0, 32)}`;
}

/** Notes by which edition of all rules a connection is asked about: a network filter notes only its shadow rules. */
export function tcpEditionFilter(asked: readonly Asking[]): Any {
  const config = create(TcpRbacSchema, {
    statPrefix: 'tcp.',
    shadowRules: { action: RBAC_Action.ALLOW, policies: { [tcpEdition(asked)]: anybody() } },
    shadowRulesStatPrefix: TCP_EDITION_PREFIX,
  });
  return anyPack(TcpRbacSchema, config);
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

function isEdition(filter: string, key: string, edition: string): Principal {
  return create(PrincipalSchema, {
    identifier: {
      case: 'metadata',
      value: {
        filter,
        path: [{ segment: { case: 'key', value: key } }],
        value: { matchPattern: { case: 'stringMatch', value: { matchPattern: { case: 'exact', value: edition } } } },
      },
    },
  });
}

/**
 * Denies unless each provider's rules that ran are those that this DENY filter was made with. Filters reach a proxy one by one; without
 * this, a rule that moves from one provider to another, or to DENY, would for an instant be in neither. See docs/decisions/0010.
 */
export function unsettledPolicy(asked: readonly Asking[], layer: Layer): Policy {
  const ids =
    layer === 'tcp'
      ? [isEdition('envoy.filters.network.rbac', TCP_EDITION_KEY, tcpEdition(asked))]
      : asked.map(({ provider, edition }) => isEdition('envoy.filters.http.rbac', editionKey(provider.name), edition));
  const settled = create(PrincipalSchema, { identifier: { case: 'andIds', value: { ids } } });
  return create(PolicySchema, {
    permissions: [{ rule: { case: 'any', value: true } }],
    principals: [{ identifier: { case: 'notId', value: settled } }],
  });
}
