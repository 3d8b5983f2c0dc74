import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { type RBAC, RBACSchema, RBAC_Action } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { RBACSchema as HttpRbacSchema } from '#gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import { RBACSchema as TcpRbacSchema } from '#gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js';
import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { keptBy } from '../kept.ts';
import { type SelectedWorkload, policiesFor } from '../select.ts';
import type { Layer } from './field.ts';
import { rulesOf } from './side.ts';
import { written } from './written.ts';

/** Begins the metadata keys that name the AUDIT rule which matched. */
const AUDIT_PREFIX = 'gatehouse_audit_';

type Policies = readonly AuthorizationPolicy[];

/** AUDIT policies in force; undefined when none apply. Like DENY, a rule loses what only HTTP has on TCP: rather one record too many. */
function auditRules(policies: Policies, meshConfig: MeshConfig, layer: Layer): RBAC | undefined {
  const applying = policies.filter(({ action, dryRun }) => action === 'AUDIT' && !dryRun);
  if (applying.length === 0) return undefined;
  const rules = rulesOf(applying, 'deny', layer, meshConfig).map((rule) => [rule.name, written(rule)] as const);
  return create(RBACSchema, { action: RBAC_Action.LOG, policies: Object.fromEntries(rules) });
}

const http = keptBy((policies: Policies, meshConfig: MeshConfig): Any | undefined => {
  const rules = auditRules(policies, meshConfig, 'http');
  return rules && anyPack(HttpRbacSchema, create(HttpRbacSchema, { rules, rulesStatPrefix: AUDIT_PREFIX }));
});

const tcp = keptBy((policies: Policies, meshConfig: MeshConfig): Any | undefined => {
  const rules = auditRules(policies, meshConfig, 'tcp');
  if (rules === undefined) return undefined;
  const config = create(TcpRbacSchema, {
    statPrefix: 'tcp.',
    rules,
    shadowRules: rules,
    shadowRulesStatPrefix: AUDIT_PREFIX,
  });
  return anyPack(TcpRbacSchema, config);
});

/**
 * The HTTP filter of AUDIT policies: it lets everything through, sets `access_log_hint` in the metadata `envoy.common` as Envoy's LOG
 * action does, and notes the rule that matched.
 */
export function httpAudit(snapshot: Snapshot, workload: SelectedWorkload): Any | undefined {
  return http(policiesFor(snapshot, workload), snapshot.meshConfig);
}

/** As {@link httpAudit}; a network filter notes only which shadow rule matched, so the rules stand there twice. */
export function tcpAudit(snapshot: Snapshot, workload: SelectedWorkload): Any | undefined {
  return tcp(policiesFor(snapshot, workload), snapshot.meshConfig);
}
