import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import { indexedBy } from '../../mesh/model/indexed-by.ts';
import { type Labels, selects } from '../../mesh/model/object.ts';
import type { Port, Protocol } from '../../mesh/model/port.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { containerPort, type Workload } from '../../mesh/model/workload.ts';
import type { PeerAuthentication } from '../../mesh/model/peer-authentication.ts';
import type { RequestAuthentication } from '../../mesh/model/request-authentication.ts';
import { type Attached, appliesTo, policiesFor } from '../select.ts';
import { type Names, namesIn } from './names.ts';
import { remembered } from '../../mesh/model/remembered.ts';

/** A port of a workload's own, and the Service ports that lead to it. */
export interface OwnPort {
  readonly port: Port;
  readonly protocol: Protocol;
  readonly servicePorts: readonly number[];
}

const policiesIn = indexedBy<AuthorizationPolicy>(({ meta }) => [meta.namespace]);
const peerAuthenticationsIn = indexedBy<PeerAuthentication>(({ meta }) => [meta.namespace]);
const tokenRulesIn = indexedBy<RequestAuthentication>(({ meta }) => [meta.namespace]);
const workloadsIn = indexedBy<Workload>(({ namespace }) => [namespace]);
const selectingIn = indexedBy<Service>(({ meta, selector }) => (selector === undefined ? [] : [meta.namespace]));
/** By one of the labels that whatever they select must have. */
const selectingBy = indexedBy<Service>(({ meta, selector }) => {
  const [first] = Object.entries(selector ?? {});
  return first === undefined ? [] : [`${meta.namespace} ${first[0]}=${first[1]}`];
});

/** What can be looked into by itself: the objects of a namespace. */
export const LISTS = Object.freeze({
  policies: policiesIn,
  peerAuthentications: peerAuthenticationsIn,
  tokenRules: tokenRulesIn,
  workloads: workloadsIn,
  services: selectingIn,
});

/** What findings look up about the objects of one namespace. All lists keep the snapshot's order. */
export class Survey {
  readonly snapshot: Snapshot;
  /** Of the namespace: what findings are about. */
  readonly policies: readonly AuthorizationPolicy[];
  readonly peerAuthentications: readonly PeerAuthentication[];
  readonly tokenRules: readonly RequestAuthentication[];
  readonly workloads: readonly Workload[];
  readonly #ports = new Map<Workload, readonly OwnPort[]>();
  readonly #targets = new Map<string, readonly Workload[]>();
  readonly #known = new Map<Attached, readonly Workload[]>();
  /** Whether a workload is the proxy of a Gateway, whose ports are those of the Gateway's servers. */
  readonly isGateway = remembered((workload: Workload): boolean =>
    this.snapshot.gateways.some(({ selector }) => Object.keys(selector).length > 0 && selects(selector, workload.labels)),
  );
  /** The Services that lead to a workload. */
  readonly servicesOf = remembered((workload: Workload): readonly Service[] => this.servicesFor(workload));
  readonly #names: Names;

  constructor(snapshot: Snapshot, namespace: string) {
    this.snapshot = snapshot;
    this.policies = policiesIn(snapshot.authorizationPolicies, namespace);
    this.peerAuthentications = peerAuthenticationsIn(snapshot.peerAuthentications, namespace);
    this.tokenRules = tokenRulesIn(snapshot.requestAuthentications, namespace);
    this.workloads = workloadsIn(snapshot.workloads, namespace);
    this.#names = namesIn(snapshot);
  }

  /** Without any workload the input is a fragment of a mesh, of which nothing can be said to be missing. */
  get isFragment(): boolean {
    return this.snapshot.workloads.length === 0;
  }

  workloadsIn(namespace: string): readonly Workload[] {
    return workloadsIn(this.snapshot.workloads, namespace);
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
    return policiesFor(this.snapshot, workload);
  }

  /** The Services that lead to workloads with these labels, be there any or not. */
  servicesFor(workload: { readonly namespace: string; readonly labels: Labels }): readonly Service[] {
    const { namespace, labels } = workload;
    const groups = Object.entries(labels).flatMap(([name, value]) => {
      const found = selectingBy(this.snapshot.services, `${namespace} ${name}=${value}`).filter(
        ({ selector }) => selector !== undefined && selects(selector, labels),
      );
      return found.length === 0 ? [] : [found];
    });
    if (groups.length < 2) return groups[0] ?? [];
    const found = new Set(groups.flat());
    return selectingIn(this.snapshot.services, namespace).filter((service) => found.has(service));
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
    return this.#names.accounts;
  }

  /** Every namespace that the input knows of. */
  get namespaces(): ReadonlySet<string> {
    return this.#names.namespaces;
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
