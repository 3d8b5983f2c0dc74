import { addressesOf } from '../../model/families.ts';
import type { KubernetesGateway } from '../../model/gateway-api.ts';
import { selects } from '../../model/object.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { Instance } from '../../model/workload.ts';
import { gatewayProblem } from '../accepted.ts';
import { isSetOf, takes } from '../listeners.ts';
import { nameOf } from '../listener-references.ts';
import { podsOf } from '../open.ts';
import type { Reason } from '../reason.ts';
import type { World } from '../world.ts';
import { type Condition, either, fails, holds } from './condition.ts';
import { judged, type JudgedListener, type Secrets } from './listeners.ts';
import type { Parents } from './parents.ts';
import type { Attached } from './routes.ts';
import type { GatewayStatus, ObjectStatus, Problem } from './status.ts';

/** The pods that serve a Gateway. */
function instancesOf(world: World, snapshot: Snapshot, gateway: KubernetesGateway): readonly Instance[] {
  return podsOf(world, gateway).flatMap(({ selector, podNamespace }) =>
    snapshot.workloads.flatMap((workload) =>
      workload.namespace === podNamespace ? workload.instances.filter(({ labels }) => selects(selector, labels)) : [],
    ),
  );
}

interface Reached {
  readonly addresses: GatewayStatus['addresses'];
  readonly problem: Reason | undefined;
}

/** By which addresses a Gateway is reached: its Services, as Istio says, or its pods where no Service leads to them. */
function reached(world: World, snapshot: Snapshot, gateway: KubernetesGateway): Reached {
  const none = (reason: string, message: string): Reached => ({ addresses: [], problem: { reason, message } });
  const { meta, addresses, otherAddresses } = gateway;
  const absent = addresses.find((host) => world.serviceByHost(host) === undefined);
  if (absent !== undefined) return none('AddressNotUsable', `there is no Service ${absent}`);
  const instances = instancesOf(world, snapshot, gateway);
  if (instances.length === 0)
    return none(
      'AddressNotAssigned',
      addresses.length > 0
        ? `no pod is behind ${addresses.join(', ')}`
        : `no pod in ${meta.namespace} has the label gateway.networking.k8s.io/gateway-name: ${meta.name}`,
    );
  const services = snapshot.services.filter(
    ({ selector, meta: own }) =>
      selector !== undefined && own.namespace === meta.namespace && instances.every(({ labels }) => selects(selector, labels)),
  );
  const ips = new Set([...instances.flatMap(addressesOf), ...services.flatMap((one) => one.addresses)]);
  const wanted = otherAddresses.filter(({ type, value }) => type === 'IPAddress' && value !== '');
  const strange = wanted.find(({ value }) => !ips.has(value));
  if (strange !== undefined)
    return none('AddressNotUsable', `no pod and no Service of the Gateway has the address ${strange.value}`);
  if (wanted.length > 0) return { addresses: wanted, problem: undefined };
  const hosts = addresses.length > 0 ? addresses : services.map(({ hostname }) => hostname);
  return {
    addresses:
      hosts.length > 0
        ? hosts.map((value) => ({ type: 'Hostname', value }))
        : instances.map(({ address }) => ({ type: 'IPAddress', value: address })),
    problem: undefined,
  };
}

function clientCertificate(
  world: World,
  { meta, clientCertificate: ref }: KubernetesGateway,
  secrets: Secrets,
): readonly Condition[] {
  if (ref === undefined) return [];
  const invalid = (message: string) => [fails('ResolvedRefs', { reason: 'InvalidClientCertificateRef', message })];
  if (ref.kind !== 'Secret' || (ref.group !== '' && ref.group !== 'core')) return invalid(`${nameOf(ref)} is no Secret`);
  if (!world.granted('Gateway', meta.namespace, ref))
    return [
      fails('ResolvedRefs', {
        reason: 'RefNotPermitted',
        message: `no ReferenceGrant lets Gateways of ${meta.namespace} use ${nameOf(ref)}`,
      }),
    ];
  const state = secrets(ref.namespace, ref.name);
  if (state === 'missing') return invalid(`there is no ${nameOf(ref)}`);
  if (state === 'malformed') return invalid(`${nameOf(ref)} holds no certificate with its key`);
  return [holds('ResolvedRefs', 'all that it names is there')];
}

const indexed = (listeners: readonly JudgedListener[]): readonly Problem[] =>
  listeners.flatMap(({ problems }, at) => problems.map((one) => ({ ...one, field: `spec.listeners[${at}]` })));

/** Accepted, with a word on listeners that are not; not accepted when none is. */
function acceptance(listeners: readonly JudgedListener[], problem: Reason | undefined): Condition {
  if (problem !== undefined) return fails('Accepted', problem);
  const bad = listeners.filter(({ accepted }) => !accepted);
  if (bad.length === 0) return holds('Accepted', 'the object is in force');
  const message = `not accepted: ${bad.map(({ status }) => status.name).join(', ')}`;
  return bad.length === listeners.length
    ? fails('Accepted', { reason: 'ListenersNotValid', message })
    : holds('Accepted', message, 'ListenersNotValid');
}

/** A Gateway and its ListenerSets. */
export function gatewayStatuses(
  parents: Parents,
  snapshot: Snapshot,
  secrets: Secrets,
  attached: Attached,
  gateway: KubernetesGateway,
): readonly ObjectStatus[] {
  const { world } = parents;
  const { meta } = gateway;
  const { addresses, problem: unreached } = reached(world, snapshot, gateway);
  const problem = gatewayProblem(world, gateway);
  const pending = problem ?? unreached;
  const waits = pending === undefined ? undefined : { reason: 'Pending', message: 'the Gateway is not programmed' };
  const all = parents.statesOf(gateway).map((state) => ({ state, listener: judged(state, secrets, attached, waits) }));
  const of = (kind: 'Gateway' | 'ListenerSet', namespace: string, name: string) =>
    all
      .filter(({ state: { owner } }) => owner.kind === kind && owner.meta.namespace === namespace && owner.meta.name === name)
      .map(({ listener }) => listener);
  const own = of('Gateway', meta.namespace, meta.name);
  const accepted = acceptance(own, problem);
  const refused = accepted.status === 'True' ? undefined : { reason: 'Invalid', message: accepted.message };
  const programmed = either('Programmed', refused ?? unreached, 'the Gateway is served');
  const insecure = [...gateway.frontend.values()].some((one) => one.insecure && one.authorities.length > 0);
  const sets = world.listenerSets.filter((set) => isSetOf(gateway, set));
  const judgedSets = sets.map((set): ObjectStatus => {
    const base = { kind: 'ListenerSet', meta: set.meta } as const;
    const refusedAs = (why: Reason): ObjectStatus => ({
      ...base,
      status: { conditions: [fails('Accepted', why), fails('Programmed', why)], listeners: [] },
      problems: [{ condition: 'Accepted', ...why, field: 'spec.parentRef' }],
    });
    if (!takes(world, gateway, set))
      return refusedAs({
        reason: 'NotAllowed',
        message: `Gateway ${meta.namespace}/${meta.name} takes no listeners of namespace ${set.meta.namespace}`,
      });
    if (problem !== undefined) return refusedAs({ reason: 'ParentNotAccepted', message: problem.message });
    const listeners = of('ListenerSet', set.meta.namespace, set.meta.name);
    const taken = acceptance(listeners, undefined);
    const why = taken.status === 'True' ? (waits ?? undefined) : { reason: taken.reason, message: taken.message };
    return {
      ...base,
      status: {
        conditions: [taken, either('Programmed', why, 'the listeners are served')],
        listeners: listeners.map(({ status }) => status),
      },
      problems: indexed(listeners),
    };
  });
  const inForce = judgedSets.filter(
    ({ status }) =>
      'conditions' in status && status.conditions.some(({ type, status: is }) => type === 'Accepted' && is === 'True'),
  ).length;
  const resolved = clientCertificate(world, gateway, secrets);
  return [
    {
      kind: 'KubernetesGateway',
      meta,
      status: {
        addresses,
        conditions: [
          accepted,
          programmed,
          ...resolved,
          ...(insecure
            ? [holds('InsecureFrontendValidationMode', 'clients without a certificate are let in', 'ConfigurationChanged')]
            : []),
        ],
        listeners: own.map(({ status }) => status),
        attachedListenerSets: inForce,
      },
      problems: [
        ...(problem === undefined ? [] : [{ condition: 'Accepted', ...problem, field: problem.field ?? 'spec' }]),
        ...(problem === undefined && unreached !== undefined && snapshot.workloads.length > 0
          ? [{ condition: 'Programmed', ...unreached, field: 'spec' }]
          : []),
        ...resolved.flatMap(({ status, type, reason, message }) =>
          status === 'False' ? [{ condition: type, reason, message, field: 'spec.tls.backend.clientCertificateRef' }] : [],
        ),
        ...indexed(own),
      ],
    },
    ...judgedSets,
  ];
}
