import type { Labels } from '../../mesh/model/object.ts';
import type { Port } from '../../mesh/model/port.ts';

export interface PodPort {
  readonly name: string | undefined;
  readonly port: Port;
}

/** The process that runs in place of a pod's container. */
export interface Application {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** How a pod takes part in the mesh: beside a sidecar, as a gateway (Envoy alone), or without a proxy. */
export type PodKind = 'sidecar' | 'router' | 'plain';

/** One pod as it is to run on this machine. */
export interface Pod {
  readonly namespace: string;
  readonly name: string;
  /** The workload's name. */
  readonly workload: string;
  /** What it is a pod of: a StatefulSet, a Job ...; undefined: the Deployment of the workload's name. */
  readonly owner?: { readonly kind: string; readonly name: string };
  readonly serviceAccount: string;
  readonly labels: Labels;
  readonly kind: PodKind;
  readonly ip: string;
  readonly ip6?: string;
  /** Where a gateway listens: this machine's own address for those that callers from outside come to, else the pod's. */
  readonly bindAddress?: string;
  /** Where the application listens: another address where there is no capture, else the pod's own. */
  readonly appAddress: string;
  readonly netns: string | undefined;
  readonly ports: readonly PodPort[];
  readonly application: Application | undefined;
}

/** `namespace/name`. */
export function podKey(pod: { readonly namespace: string; readonly name: string }): string {
  return `${pod.namespace}/${pod.name}`;
}
