import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { type RBAC, RBACSchema, RBAC_Action } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { RBACSchema as HttpRbacSchema } from '#gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import { RBACSchema as TcpRbacSchema } from '#gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { type SelectedWorkload, policiesFor } from '../select.ts';
import type { Layer } from './field.ts';
import { compileRule } from './rule.ts';
import { written } from './written.ts';

/** Begins the metadata keys that name the AUDIT rule which matched. */
const AUDIT_PREFIX = 'gatehouse_audit_';

/** AUDIT policies in force; undefined when none apply. Like DENY, a rule loses what only HTTP has on TCP: rather one record too many. */
function auditRules(snapshot: Snapshot, workload: SelectedWorkload, layer: Layer): RBAC | undefined {
  const applying = policiesFor(snapshot, workload).filter(({ action, dryRun }) => action === 'AUDIT' && !dryRun);
  if (applying.length === 0) return undefined;
  const policies = applying.flatMap((policy) => {
    const context = { layer, stance: 'refuse', meshConfig: snapshot.meshConfig, namespace: policy.meta.namespace } as const;
    return policy.rules.flatMap((rule, index) => {
      const found = compileRule(policy, index, rule, context);
      return found === undefined ? [] : [[found.name, written(found)] as const];
    });
  });
  return create(RBACSchema, { action: RBAC_Action.LOG, policies: Object.fromEntries(policies) });
}

/**
 * The HTTP filter of AUDIT policies: it lets everything through, sets `access_log_hint` in the metadata `envoy.common` as Envoy's LOG
 * action does, and notes the rule that matched.
 */
export function httpAudit(snapshot: Snapshot, workload: SelectedWorkload): Any | undefined {
  const rules = auditRules(snapshot, workload, 'http');
  return rules && anyPack(HttpRbacSchema, create(HttpRbacSchema, { rules, rulesStatPrefix: AUDIT_PREFIX }));
}

/** As {@link httpAudit}; a network filter notes only which shadow rule matched, so the rules stand there twice. */
export function tcpAudit(snapshot: Snapshot, workload: SelectedWorkload): Any | undefined {
  const rules = auditRules(snapshot, workload, 'tcp');
  if (rules === undefined) return undefined;
  const config = create(TcpRbacSchema, {
    statPrefix: 'tcp.',
    rules,
    shadowRules: rules,
    shadowRulesStatPrefix: AUDIT_PREFIX,
  });
  return anyPack(TcpRbacSchema, config);
}
