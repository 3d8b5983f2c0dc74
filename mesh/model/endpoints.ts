import { addressesOf, familyOf } from './families.ts';
import { indexedBy } from './indexed-by.ts';
import type { Locality } from './load-balancer.ts';
import { type Labels, selects } from './object.ts';
import type { Port } from './port.ts';
import type { Service, ServicePort, SlicedEndpoint, StaticEndpoint } from './service.ts';
import type { Snapshot } from './snapshot.ts';
import { containerPort, type Instance, type Workload } from './workload.ts';

/** One address behind a service port. */
export interface Endpoint {
  readonly address: string;
  readonly port: Port;
  readonly labels: Labels;
  readonly weight: number;
  readonly meshed: boolean;
  readonly namespace: string;
  readonly serviceAccount: string | undefined;
  readonly workload: string | undefined;
  readonly locality: Locality | undefined;
  /** The name that it has below that of a headless Service (`web-0`). */
  readonly hostname?: string | undefined;
}

/** Workloads by namespace, and by each of their labels within it. */
const byLabel = indexedBy<Workload>(({ namespace, labels }) => [
  namespace,
  ...Object.entries(labels).map(([name, value]) => `${namespace} ${name}=${value}`),
]);

/** The workloads of a namespace that may have all the labels: those that have the rarest of them. */
function candidates(workloads: readonly Workload[], namespace: string, selector: Labels): readonly Workload[] {
  let found: readonly Workload[] | undefined;
  for (const [name, value] of Object.entries(selector)) {
    const having = byLabel(workloads, `${namespace} ${name}=${value}`);
    if (found === undefined || having.length < found.length) found = having;
  }
  return found ?? byLabel(workloads, namespace);
}

/** What each Service selects, for each list of workloads. */
const selections = new WeakMap<readonly Workload[], WeakMap<Service, readonly Workload[]>>();

interface Placed {
  readonly workload: Workload;
  readonly instance: Instance;
}

/** The instances of a namespace by name and by address, made for those with slices to look them up in. */
const instances = new WeakMap<readonly Workload[], ReadonlyMap<string, Placed>>();

function instancesIn(workloads: readonly Workload[], namespace: string): ReadonlyMap<string, Placed> {
  const here = byLabel(workloads, namespace);
  const known = instances.get(here);
  if (known !== undefined) return known;
  const made = new Map<string, Placed>();
  for (const workload of here) {
    for (const instance of workload.instances) {
      made.set(`pod ${instance.name}`, { workload, instance });
      for (const address of addressesOf(instance)) if (!made.has(address)) made.set(address, { workload, instance });
    }
  }
  instances.set(here, made);
  return made;
}

function placedAt(placed: ReadonlyMap<string, Placed>, { pod, address }: SlicedEndpoint): Placed | undefined {
  return placed.get(pod === undefined ? address : `pod ${pod}`);
}

function workloadsNamed(
  workloads: readonly Workload[],
  service: Service,
  sliced: readonly SlicedEndpoint[],
): readonly Workload[] {
  const placed = instancesIn(workloads, service.meta.namespace);
  return [...new Set(sliced.flatMap((one) => placedAt(placed, one)?.workload ?? []))];
}

/** What slices name. An endpoint that is a Pod is left out until the Pod is known, as in Istio: nothing else says whose it is. */
function slicedEndpoints({ workloads }: Snapshot, service: Service, port: ServicePort): Endpoint[] {
  const placed = instancesIn(workloads, service.meta.namespace);
  return (service.sliced ?? []).flatMap((one): readonly Endpoint[] => {
    if (!one.ready && service.publishNotReady !== true) return [];
    const number = one.ports[port.name];
    const found = placedAt(placed, one);
    if (number === undefined || (one.pod !== undefined && found === undefined)) return [];
    return [
      {
        address: one.address,
        port: number,
        labels: found?.instance.labels ?? NOTHING,
        weight: found?.workload.weight ?? 1,
        meshed: found?.instance.meshed ?? false,
        namespace: service.meta.namespace,
        serviceAccount: found?.workload.serviceAccount,
        workload: found === undefined ? undefined : `${found.workload.namespace}/${found.workload.name}`,
        locality: found?.instance.locality ?? one.locality,
        hostname: one.hostname ?? found?.instance.hostname,
      },
    ];
  });
}

const NOTHING: Labels = Object.freeze({});

/** The workloads behind a Service: those of its namespace whose labels it names, or whose Pods its slices name. */
export function workloadsOf(snapshot: Snapshot, service: Service): readonly Workload[] {
  const { selector, sliced } = service;
  if (selector === undefined && sliced === undefined) return [];
  const { workloads } = snapshot;
  const known = selections.get(workloads) ?? new WeakMap<Service, readonly Workload[]>();
  selections.set(workloads, known);
  const before = known.get(service);
  if (before !== undefined) return before;
  const found =
    sliced === undefined
      ? candidates(workloads, service.meta.namespace, selector ?? NOTHING).filter(({ labels }) =>
          selects(selector ?? NOTHING, labels),
        )
      : workloadsNamed(workloads, service, sliced);
  known.set(service, found);
  return found;
}

/** Whether an endpoint was written for a port. */
export function serves({ port }: ServicePort): (endpoint: StaticEndpoint) => boolean {
  return ({ servicePorts }) => servicePorts === undefined || servicePorts.includes(port);
}

/** Where a written endpoint takes what is for a service port: its own port of that name, else the target port. */
function staticPort({ ports }: StaticEndpoint, { name, port, targetPort }: ServicePort): Port {
  return ports[name] ?? (typeof targetPort === 'number' ? targetPort : port);
}

/** Of an instance with addresses of both families, that of the Service's first; a headless Service's name stands for all of its families. */
function addressesFor({ families = [], headless }: Service, { address, otherAddress }: Instance): readonly string[] {
  if (otherAddress === undefined) return [address];
  const wanted = families.flatMap((family) => [address, otherAddress].filter((one) => familyOf(one) === family));
  if (wanted.length === 0) return [address];
  return headless === true ? wanted : wanted.slice(0, 1);
}

/** Every ready address behind a service port, in a stable order. */
export function endpointsOf(snapshot: Snapshot, service: Service, port: ServicePort): readonly Endpoint[] {
  const found: Endpoint[] = service.endpoints.filter(serves(port)).map((endpoint) => ({
    address: endpoint.address,
    port: staticPort(endpoint, port),
    labels: endpoint.labels,
    weight: endpoint.weight,
    meshed: false,
    namespace: service.meta.namespace,
    serviceAccount: endpoint.serviceAccount,
    workload: undefined,
    locality: endpoint.locality,
  }));
  if (service.sliced !== undefined) return [...found, ...slicedEndpoints(snapshot, service, port)];
  for (const workload of workloadsOf(snapshot, service)) {
    const target = workload.servicePorts?.[port.name] ?? containerPort(workload, port.targetPort);
    if (target === undefined) continue;
    for (const instance of workload.instances) {
      if (!instance.ready && service.publishNotReady !== true) continue;
      for (const address of addressesFor(service, instance))
        found.push({
          address,
          port: target,
          labels: instance.labels,
          weight: workload.weight ?? 1,
          meshed: instance.meshed,
          namespace: workload.namespace,
          serviceAccount: workload.serviceAccount,
          workload: `${workload.namespace}/${workload.name}`,
          locality: instance.locality,
          hostname: instance.hostname,
        });
    }
  }
  return found;
}

/** The names that pods have below that of a headless Service (`web-0`), ready or not. */
export function podNames(snapshot: Snapshot, service: Service): readonly string[] {
  if (service.headless !== true) return [];
  const ofPods = workloadsOf(snapshot, service).flatMap(({ instances }) => instances.flatMap(({ hostname }) => hostname ?? []));
  const given = (service.sliced ?? []).flatMap(({ hostname }) => hostname ?? []);
  return [...new Set([...ofPods, ...given])].sort();
}
