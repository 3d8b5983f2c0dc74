import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import { type Labels, selects } from '../../mesh/model/object.ts';
import type { Port, Protocol } from '../../mesh/model/port.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { containerPort, type Workload } from '../../mesh/model/workload.ts';
import { type Attached, appliesTo } from '../select.ts';
import { remembered } from './remembered.ts';

/** A port of a workload's own, and the Service ports that lead to it. */
export interface OwnPort {
  readonly port: Port;
  readonly protocol: Protocol;
  readonly servicePorts: readonly number[];
}

/** What findings look up, made once for a snapshot. All lists keep the snapshot's order. */
export class Survey {
  readonly snapshot: Snapshot;
  readonly #workloads: ReadonlyMap<string, readonly Workload[]>;
  readonly #services: ReadonlyMap<string, readonly Service[]>;
  readonly #ports = new Map<Workload, readonly OwnPort[]>();
  readonly #targets = new Map<string, readonly Workload[]>();
  readonly #known = new Map<Attached, readonly Workload[]>();
  /** Whether a workload is the proxy of a Gateway, whose ports are those of the Gateway's servers. */
  readonly isGateway = remembered((workload: Workload): boolean =>
    this.snapshot.gateways.some(({ selector }) => Object.keys(selector).length > 0 && selects(selector, workload.labels)),
  );
  /** The Services that lead to a workload. */
  readonly servicesOf = remembered((workload: Workload): readonly Service[] => this.servicesFor(workload));
  readonly #policies = new Map<Workload, AuthorizationPolicy[]>();
  #accounts: ReadonlySet<string> | undefined;
  #namespaces: ReadonlySet<string> | undefined;

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot;
    this.#workloads = Map.groupBy(snapshot.workloads, ({ namespace }) => namespace);
    this.#services = Map.groupBy(
      snapshot.services.filter(({ selector }) => selector !== undefined),
      ({ meta }) => meta.namespace,
    );
    for (const policy of snapshot.authorizationPolicies) {
      for (const workload of this.targets(policy)) {
        const before = this.#policies.get(workload);
        if (before === undefined) this.#policies.set(workload, [policy]);
        else before.push(policy);
      }
    }
  }

  /** Without any workload the input is a fragment of a mesh, of which nothing can be said to be missing. */
  get isFragment(): boolean {
    return this.snapshot.workloads.length === 0;
  }

  workloadsIn(namespace: string): readonly Workload[] {
    return this.#workloads.get(namespace) ?? [];
  }

  /** The workloads to which an object applies: one list for all objects that apply to the same. */
  targets(object: Attached): readonly Workload[] {
    const before = this.#known.get(object);
    if (before !== undefined) return before;
    const labels = Object.entries(object.selector).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify([object.meta.namespace, labels, object.targetRefs]);
    const found = this.#targets.get(key) ?? this.#find(object);
    this.#targets.set(key, found);
    this.#known.set(object, found);
    return found;
  }

  #find(object: Attached): readonly Workload[] {
    const { rootNamespace } = this.snapshot.meshConfig;
    const { namespace } = object.meta;
    const candidates = namespace === rootNamespace ? this.snapshot.workloads : this.workloadsIn(namespace);
    const whole = object.targetRefs.length === 0 && Object.keys(object.selector).length === 0;
    return whole ? candidates : candidates.filter((workload) => appliesTo(rootNamespace, object, workload));
  }

  /** The AuthorizationPolicies that apply to a workload. */
  policiesOf(workload: Workload): readonly AuthorizationPolicy[] {
    return this.#policies.get(workload) ?? [];
  }

  /** The Services that lead to workloads with these labels, be there any or not. */
  servicesFor(workload: { readonly namespace: string; readonly labels: Labels }): readonly Service[] {
    return (this.#services.get(workload.namespace) ?? []).filter(
      ({ selector }) => selector !== undefined && Object.keys(selector).length > 0 && selects(selector, workload.labels),
    );
  }

  /** A workload's own ports: those that Services send to, in the protocol of the first, then those of its containers. */
  portsOf(workload: Workload): readonly OwnPort[] {
    const before = this.#ports.get(workload);
    if (before !== undefined) return before;
    const found = new Map<Port, { protocol: Protocol; servicePorts: number[] }>();
    const add = (port: Port | undefined, protocol: Protocol, servicePort?: number): void => {
      if (port === undefined || protocol === 'udp') return;
      const one = found.get(port) ?? { protocol, servicePorts: [] };
      found.set(port, one);
      if (servicePort !== undefined) one.servicePorts.push(servicePort);
    };
    for (const service of this.servicesOf(workload)) {
      for (const { port, targetPort, protocol } of service.ports) add(containerPort(workload, targetPort), protocol, port);
    }
    for (const { port, protocol } of workload.ports) add(port, protocol);
    const ports = [...found].map(([port, rest]) => ({ port, ...rest })).sort((a, b) => a.port - b.port);
    this.#ports.set(workload, ports);
    return ports;
  }

  /** `namespace/name` of every account that a workload runs as. */
  get accounts(): ReadonlySet<string> {
    this.#accounts ??= new Set(this.snapshot.workloads.map(({ namespace, serviceAccount }) => `${namespace}/${serviceAccount}`));
    return this.#accounts;
  }

  /** Every namespace that the input knows of. */
  get namespaces(): ReadonlySet<string> {
    this.#namespaces ??= new Set([
      ...this.snapshot.namespaces.map(({ name }) => name),
      ...this.snapshot.workloads.map(({ namespace }) => namespace),
      ...this.snapshot.services.map(({ meta }) => meta.namespace),
    ]);
    return this.#namespaces;
  }
}

/** Some of many workloads, for people. */
export function someOf(workloads: readonly Workload[], most = 3): string {
  const names = workloads.slice(0, most).map(nameOf).join(', ');
  return workloads.length <= most ? names : `${names} and ${workloads.length - most} more`;
}

export function nameOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}
