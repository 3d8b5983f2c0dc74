import { GATEWAY_NAME_LABEL, type TargetRef } from '../model/target-ref.ts';
import { type Context, refer } from './context.ts';
import { type Field, fieldsOf, itemsOf } from './field.ts';
import { shorten } from './node.ts';
import { optionalText, requiredText } from './scalar.ts';

/** As the CRD has it. */
const MOST = 16;

/** The groups and kinds that Istio lets a policy be attached to; the group of a Service is empty or `core`. */
const KINDS: Readonly<Record<string, TargetRef['kind']>> = Object.freeze({
  'gateway.networking.k8s.io/Gateway': 'Gateway',
  'gateway.networking.k8s.io/GatewayClass': 'GatewayClass',
  'networking.istio.io/ServiceEntry': 'ServiceEntry',
  'core/Service': 'Service',
  '/Service': 'Service',
});

/** The fields by which a policy says where it applies. */
export type Attachment = Readonly<Record<'selector' | 'targetRef' | 'targetRefs', Field>>;

/**
 * Reads `targetRefs`, or the older `targetRef`. A policy with one never falls back to a selector or to its namespace: what
 * cannot be read refuses the object.
 */
export function targetRefs(fields: Attachment, context: Context): readonly TargetRef[] {
  const given = [fields.targetRefs, fields.targetRef].filter((one) => one.given);
  const [first, second] = given;
  if (first === undefined) return [];
  if (fields.selector.given) first.error('contradiction', 'only one of targetRefs or selector can be set', 'keep one of them');
  if (second !== undefined)
    second.error('contradiction', 'only one of targetRef or targetRefs can be set', 'move it into targetRefs');
  const items = [...itemsOf(fields.targetRefs), ...(fields.targetRef.given ? [fields.targetRef] : [])];
  if (items.length === 0)
    first.error('empty-list', 'is an empty list', 'name a target, or remove the field to have the policy apply to its namespace');
  if (items.length > MOST) first.error('out-of-range', `has more than ${MOST} targets`, 'use several policies');
  return items.flatMap((item) => targetRef(item, context) ?? []);
}

function targetRef(field: Field, context: Context): TargetRef | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['group', 'kind', 'name', 'namespace', 'sectionName']);
  const name = requiredText(fields.name, 'the name of the Gateway');
  if (optionalText(fields.namespace) !== undefined) {
    fields.namespace.error(
      'not-supported',
      'a target in another namespace is not supported',
      'remove it and put the policy into the namespace of its target',
    );
  }
  if (fields.sectionName.given)
    fields.sectionName.error(
      'not-supported',
      'a part of a target is not supported',
      'remove it; the policy is for the whole target',
    );
  const group = optionalText(fields.group) ?? '';
  const named = `${group}/${requiredText(fields.kind, 'as kind: Gateway')}`;
  const kind = Object.hasOwn(KINDS, named) ? KINDS[named] : undefined;
  if (kind === undefined) {
    field.error(
      'unknown-value',
      `a policy cannot be attached to ${shorten(named)}`,
      'write group: gateway.networking.k8s.io, kind: Gateway (or Service, ServiceEntry, GatewayClass with their groups)',
    );
    return undefined;
  }
  if (name === '') return undefined;
  noteEffect(field, { kind, name }, context);
  return { kind, name };
}

/** What the target comes to in a mesh of sidecars and gateways, as in Istio: policies on what only waypoints stand for do nothing. */
function noteEffect(field: Field, { kind, name }: TargetRef, context: Context): void {
  if (kind === 'Gateway') {
    refer(context, field, { kind: 'workloads', selector: { [GATEWAY_NAME_LABEL]: name }, everywhere: false });
    return;
  }
  field.warning(
    'no-waypoint',
    `a policy on a ${kind} is for waypoints; no sidecar and no gateway enforces it`,
    'select the workloads by label: selector: {matchLabels: {app: ...}}',
  );
}
