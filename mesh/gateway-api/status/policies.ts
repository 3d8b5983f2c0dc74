import type { BackendTlsPolicy, KubernetesGateway } from '../../model/gateway-api.ts';
import { GATEWAY_API_GROUP } from '../../model/gateway-api-kinds.ts';
import { authoritiesOf } from '../listener-references.ts';
import type { Reason } from '../reason.ts';
import { CONTROLLER } from '../classes.ts';
import { either } from './condition.ts';
import type { Parents } from './parents.ts';
import type { Attached } from './routes.ts';
import type { AncestorStatus, ObjectStatus } from './status.ts';

/** The most that the API has room for. */
const MOST_ANCESTORS = 16;

type Target = BackendTlsPolicy['targets'][number];

/** Gateways with routes that lead to a Service. */
function gatewaysTo(attached: Attached, namespace: string, name: string): readonly KubernetesGateway[] {
  const found = new Set<KubernetesGateway>();
  for (const [{ gateway }, routes] of attached)
    if (
      routes.some((route) =>
        route.rules.some(({ backends }) =>
          backends.some((ref) => ref.kind === 'Service' && ref.namespace === namespace && ref.name === name),
        ),
      )
    )
      found.add(gateway);
  return [...found];
}

/** An older policy has the target already: they come by age. */
function conflicting(
  policies: readonly BackendTlsPolicy[],
  policy: BackendTlsPolicy,
  target: Target,
): BackendTlsPolicy | undefined {
  return policies
    .slice(0, policies.indexOf(policy))
    .find(
      ({ meta, targets }) =>
        meta.namespace === policy.meta.namespace &&
        targets.some(
          ({ group, kind, name, section }) =>
            group === target.group && kind === target.kind && name === target.name && section === target.section,
        ),
    );
}

export function policyStatus(parents: Parents, attached: Attached, policy: BackendTlsPolicy): ObjectStatus {
  const { world } = parents;
  const { meta, authorities } = policy;
  const { namespace } = meta;
  const read = authorities === 'system' ? undefined : authoritiesOf(world, { kind: meta.kind, namespace }, authorities);
  const [unresolved] = read?.problems ?? [];
  const noAuthority: Reason | undefined =
    read !== undefined && read.authorities === undefined
      ? { reason: 'NoValidCACertificate', message: 'there is nothing to check the target against; it is not called' }
      : undefined;
  const problems =
    unresolved === undefined ? [] : [{ condition: 'ResolvedRefs', ...unresolved, field: 'spec.validation.caCertificateRefs' }];
  const ancestors = policy.targets.flatMap((target, at): readonly AncestorStatus[] => {
    const service = target.group === '' && target.kind === 'Service' ? world.service(namespace, target.name) : undefined;
    const section = service?.ports.some(({ name }) => target.section === undefined || name === target.section) ?? false;
    const older = conflicting(world.policies, policy, target);
    const problem: Reason | undefined =
      service === undefined
        ? { reason: 'TargetNotFound', message: `there is no ${target.kind} ${namespace}/${target.name}` }
        : !section
          ? {
              reason: 'TargetNotFound',
              message: `Service ${namespace}/${target.name} has no port of the name ${target.section ?? ''}`,
            }
          : older === undefined
            ? noAuthority
            : { reason: 'Conflicted', message: `${older.meta.name} is older and has the same target` };
    if (problem !== undefined) problems.push({ condition: 'Accepted', ...problem, field: `spec.targetRefs[${at}]` });
    const conditions = [
      either('Accepted', problem, 'the policy is in force'),
      either('ResolvedRefs', unresolved, 'all that it names is there'),
    ];
    const gateways = gatewaysTo(attached, namespace, target.name);
    // Callers in the mesh are no Gateway: then the Service itself stands for them.
    if (gateways.length === 0)
      return [
        {
          ancestorRef: { group: target.group, kind: target.kind, namespace, name: target.name },
          controllerName: CONTROLLER,
          conditions,
        },
      ];
    return gateways.map((gateway) => ({
      ancestorRef: { group: GATEWAY_API_GROUP, kind: 'Gateway', namespace: gateway.meta.namespace, name: gateway.meta.name },
      controllerName: parents.controllerOf(gateway),
      conditions,
    }));
  });
  return { kind: 'BackendTLSPolicy', meta, status: { ancestors: ancestors.slice(0, MOST_ANCESTORS) }, problems };
}
