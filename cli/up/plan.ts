import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { selects } from '../../mesh/model/object.ts';
import { parsePort } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { isTemplated } from '../../mesh/model/templated-kinds.ts';
import { applicationEnv } from './application-env.ts';
import type { Environments } from './container.ts';
import { GATEWAY_NAME, GATEWAY_NAMESPACE, gatewayPodOf } from './gateway-objects.ts';
import type { StartedGateway } from './gateway-ports.ts';
import { type ImageTable, lookUp } from './images.ts';
import { type Placement, placeOf } from './place.ts';
import type { Pod, PodKind } from './pod.ts';

export interface PlanInput {
  readonly snapshot: Snapshot;
  readonly images: ImageTable;
  readonly environments: Environments;
  readonly placement: Placement;
  /** The gateways that `up` may start of its own. */
  readonly gateways: readonly StartedGateway[];
  /** A number for each pod, the same whenever it is asked for again. */
  readonly slotOf: (pod: string) => number | undefined;
  /** The agent's Unix socket for a pod. */
  readonly socketOf: (namespace: string, pod: string) => string;
}

export interface Plan {
  readonly pods: readonly Pod[];
  /** The ingress gateway is one that `up` adds. */
  readonly addsGateway: boolean;
  readonly diagnostics: readonly Diagnostic[];
}

const MOST_REPLICAS = 100;
/** Where callers from outside of the mesh come in. */
const OUTSIDE_ADDRESS = '127.0.0.1';
const INGRESS = Object.freeze({ istio: 'ingressgateway' });

/** The pods that a snapshot asks for. A workload that cannot be run gets a diagnostic; the others are planned all the same. */
export function planPods(input: PlanInput): Plan {
  const { snapshot } = input;
  const pods: Pod[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const workload of snapshot.workloads) {
    // Nobody keeps the time of a CronJob here.
    if (!isTemplated(workload.meta.kind) || workload.meta.kind === 'CronJob') continue;
    const kind = kindOf(snapshot, workload);
    if (kind !== 'router' && (workload.image === undefined || lookUp(input.images, workload.image) === undefined)) {
      diagnostics.push(unknownImage(workload));
      continue;
    }
    if (workload.replicas > MOST_REPLICAS) diagnostics.push(tooMany(workload));
    // A StatefulSet numbers its pods from 0, and calls them so.
    const first = workload.meta.kind === 'StatefulSet' ? 0 : 1;
    for (let copy = first; copy < first + Math.min(workload.replicas, MOST_REPLICAS); copy++) {
      const pod = podOf(input, workload, kind, copy);
      if (pod !== undefined) pods.push(pod);
    }
  }
  // Also while there is no Gateway: they come and go with rules, and who is connected must not be cut off.
  const addsGateway = !hasIngressGateway(snapshot);
  for (const one of input.gateways) {
    if (one.of === undefined && !addsGateway) continue;
    const gateway = addedGateway(input, one);
    if (gateway !== undefined) pods.push(gateway);
  }
  return { pods, addsGateway, diagnostics };
}

function hasIngressGateway(snapshot: Snapshot): boolean {
  return snapshot.workloads.some(
    (workload) =>
      isTemplated(workload.meta.kind) &&
      ((workload.namespace === GATEWAY_NAMESPACE && workload.name === GATEWAY_NAME) || selects(INGRESS, workload.labels)),
  );
}

/** A pod that a Gateway names by its labels is that gateway; one that opts out of injection has no proxy. */
function kindOf(snapshot: Snapshot, workload: Workload): PodKind {
  const isGateway = snapshot.gateways.some(
    (gateway) => Object.keys(gateway.selector).length > 0 && selects(gateway.selector, workload.labels),
  );
  if (isGateway) return 'router';
  const chosen = workload.labels['sidecar.istio.io/inject'];
  if (chosen !== undefined) return chosen === 'true' ? 'sidecar' : 'plain';
  const namespace = snapshot.namespaces.find((candidate) => candidate.name === workload.namespace);
  return namespace?.labels['istio-injection'] === 'disabled' ? 'plain' : 'sidecar';
}

function podOf(input: PlanInput, workload: Workload, kind: PodKind, copy: number): Pod | undefined {
  const name = `${workload.name}-${copy}`;
  const { namespace, serviceAccount, labels } = workload;
  const slot = input.slotOf(`${namespace}/${name}`);
  if (slot === undefined) return undefined;
  const place = placeOf(input.placement, slot, kind === 'router');
  const explicit = input.placement.kind === 'explicit';
  // Without capture and proxy, the application itself listens at the pod's address.
  const appAddress = kind === 'plain' ? place.ip : place.appAddress;
  const ports = workload.ports.map((port) => ({ name: port.name, port: port.port }));
  const about = { namespace, name, serviceAccount, labels, ip: place.ip, appAddress, ports };
  const image = kind === 'router' || workload.image === undefined ? undefined : lookUp(input.images, workload.image);
  const env = applicationEnv(about, image?.env ?? {}, input.environments.get(`${namespace}/${workload.name}`), {
    proxied: explicit && kind === 'sidecar',
    workloadApi: kind === 'plain' ? undefined : input.socketOf(namespace, name),
    anywhere: place.netns !== undefined,
  });
  return {
    ...about,
    ...(place.ip6 === undefined ? {} : { ip6: place.ip6 }),
    workload: workload.name,
    owner: { kind: workload.meta.kind, name: workload.meta.name },
    kind,
    ...(kind === 'router' ? { bindAddress: selects(INGRESS, labels) ? OUTSIDE_ADDRESS : place.ip } : {}),
    netns: place.netns,
    application: image === undefined ? undefined : { command: image.command, cwd: image.cwd, env },
  };
}

function addedGateway(input: PlanInput, started: StartedGateway): Pod | undefined {
  const { namespace, name: workload, account, labels } = gatewayPodOf(started);
  const name = `${workload}-1`;
  const slot = input.slotOf(`${namespace}/${name}`);
  if (slot === undefined) return undefined;
  const { ip, appAddress } = placeOf(input.placement, slot, true);
  return {
    namespace,
    name,
    workload,
    serviceAccount: account,
    labels,
    kind: 'router',
    ip,
    bindAddress: OUTSIDE_ADDRESS,
    appAddress,
    netns: undefined,
    ports: started.ports.flatMap(({ bound }) => {
      const port = parsePort(bound);
      return port === undefined ? [] : [{ name: undefined, port }];
    }),
    application: undefined,
  };
}

function unknownImage(workload: Workload): Diagnostic {
  const { file, line } = workload.meta.origin;
  const object = `${workload.meta.kind} ${workload.namespace}/${workload.meta.name}`;
  const field = 'spec.template.spec.containers[0].image';
  const base = { file, line, object, field, severity: 'error' } as const;
  if (workload.image === undefined) {
    return {
      ...base,
      code: 'no-image',
      message: 'no image, so there is nothing to run',
      hint: 'name one, and say with --image NAME=COMMAND what it runs',
    };
  }
  return {
    ...base,
    code: 'unknown-image',
    message: `nothing on this machine stands for image ${workload.image}`,
    hint: `say what to run in its place: --image '${workload.image}=COMMAND'`,
  };
}

function tooMany(workload: Workload): Diagnostic {
  return {
    ...workload.meta.origin,
    object: `${workload.meta.kind} ${workload.namespace}/${workload.meta.name}`,
    field: 'spec.replicas',
    severity: 'warning',
    code: 'too-many-replicas',
    message: `${workload.replicas} replicas; ${MOST_REPLICAS} are started on one machine`,
  };
}
