import { covers, type Hostname } from '../../model/hostname.ts';
import type { Diagnostic } from '../../model/diagnostic.ts';
import { keyOf, type Kind, type Labels, selects } from '../../model/object.ts';
import type { Service } from '../../model/service.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { Destination } from '../../model/virtual-service.ts';
import { closest } from '../closest.ts';
import type { Admitted } from '../mesh-object.ts';
import type { Reference } from '../reference.ts';
import type { VirtualService } from '../../model/virtual-service.ts';
import { workloadsOf } from '../../model/endpoints.ts';
import type { Workload } from '../../model/workload.ts';
import type { Finding } from './finding.ts';
import { checkConflict, checkGatewayHost, meshHosts } from './virtual-host.ts';

/** What the checks look up, made once for a snapshot. */
interface Known {
  readonly snapshot: Snapshot;
  readonly services: ReadonlyMap<string, Service>;
  readonly wildcards: readonly Service[];
  readonly subsets: ReadonlyMap<string, ReadonlySet<string>>;
  readonly gateways: ReadonlySet<string>;
  /** By namespace: a mesh has thousands, and each selector is about one namespace. */
  readonly workloads: ReadonlyMap<string, readonly Workload[]>;
  readonly meshHosts: ReadonlyMap<string, readonly VirtualService[]>;
}

/**
 * Checks what objects say about others. A host or gateway that is missing is an error where the input describes a mesh,
 * and a warning where it is a fragment (no Service at all), which will be added to one.
 * @param otherGateways `namespace/name` of gateways that are there without being admitted: those of the Gateway API, and those with errors
 */
export function checkReferences(
  objects: readonly Admitted[],
  snapshot: Snapshot,
  otherGateways: readonly string[] = [],
): readonly Diagnostic[] {
  const known: Known = {
    snapshot,
    services: new Map(snapshot.services.map((service) => [service.hostname, service])),
    wildcards: snapshot.services.filter((service) => service.hostname.includes('*')),
    subsets: subsetsByHost(snapshot),
    meshHosts: meshHosts(snapshot),
    workloads: Map.groupBy(snapshot.workloads, ({ namespace }) => namespace),
    gateways: new Set([...snapshot.gateways.map(({ meta }) => `${meta.namespace}/${meta.name}`), ...otherGateways]),
  };
  return objects.flatMap((object) =>
    object.references.flatMap((reference) => {
      const found = check(reference, object, known);
      return found === undefined
        ? []
        : [{ file: object.file, line: reference.line + object.offset, object: object.key, field: reference.path, ...found }];
    }),
  );
}

function subsetsByHost(snapshot: Snapshot): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const rule of snapshot.destinationRules) {
    const names = found.get(rule.host) ?? new Set<string>();
    for (const subset of rule.subsets) names.add(subset.name);
    found.set(rule.host, names);
  }
  return found;
}

function check({ target }: Reference, object: Admitted, known: Known): Finding | undefined {
  switch (target.kind) {
    case 'destination':
      return checkDestination(target.destination, known);
    case 'subset':
      return checkSubset(target.host, target.subset, known);
    case 'virtual-host':
      if (object.object.kind !== 'VirtualService') return undefined;
      return (
        checkConflict(target.host, object.object.value, known.meshHosts) ??
        checkGatewayHost(target.host, object.object.value, known.snapshot)
      );
    case 'subset-labels':
      return checkSubsetLabels(target.host, target.subset, target.labels, known);
    case 'gateway':
      return checkGateway(target.name, known);
    case 'delegate':
      return checkDelegate(keyOf(target), known.snapshot);
    case 'rule-host':
      return checkRuleHost(target.host, known);
    case 'workloads':
      return checkSelector(
        target.selector,
        target.everywhere ? undefined : object.object.value.meta.namespace,
        object.object.kind,
        known,
      );
  }
  return target satisfies never;
}

function serviceOf(host: Hostname, known: Known): Service | undefined {
  return known.services.get(host) ?? known.wildcards.find((service) => covers(service.hostname, host));
}

/** A subset of a host of which nothing is known is not looked for: the host is what is missing. */
function checkSubset(host: Hostname, subset: string, known: Known): Finding | undefined {
  const subsets = known.subsets.get(host);
  if (subsets?.has(subset) === true || (subsets === undefined && serviceOf(host, known) === undefined)) return undefined;
  const names = [...(subsets ?? [])];
  const near = closest(subset, names);
  return {
    severity: 'error',
    code: 'no-such-subset',
    message: `no DestinationRule for ${host} has a subset "${subset}"; requests will be answered with 503`,
    hint:
      near !== undefined
        ? `did you mean ${near}?`
        : names.length === 0
          ? `add a DestinationRule with host: ${host} and the subset`
          : `its subsets are ${names.join(', ')}`,
  };
}

function checkDestination({ host, port }: Destination, known: Known): Finding | undefined {
  const service = serviceOf(host, known);
  if (service === undefined) return noSuchHost(host, known);
  if (port !== undefined && service.ports.every((one) => one.port !== port)) {
    return {
      severity: 'error',
      code: 'no-such-port',
      message: `${host} has no port ${port}; requests will be answered with 503`,
      hint:
        service.ports.length === 0
          ? 'add the port to the Service'
          : `its ports are ${service.ports.map((one) => one.port).join(', ')}`,
    };
  }
  if (port === undefined && service.ports.length > 1) {
    return {
      severity: 'info',
      code: 'port-from-request',
      message: `${host} has ${service.ports.length} ports; the request's port is kept`,
      hint: 'give port: {number: N} where the request comes through a gateway',
    };
  }
  return undefined;
}

function noSuchHost(host: Hostname, known: Known): Finding {
  const near = closest(host, [...known.services.keys()]);
  return {
    severity: known.snapshot.services.length === 0 ? 'warning' : 'error',
    code: 'no-such-host',
    message: `there is no Service or ServiceEntry for ${host}; requests will be answered with 503`,
    hint:
      near === undefined
        ? 'add the Service, or a ServiceEntry for a host outside the mesh; in another namespace write name.namespace.svc.cluster.local'
        : `did you mean ${near}?`,
  };
}

function checkGateway(name: string, known: Known): Finding | undefined {
  if (known.gateways.has(name)) return undefined;
  const near = closest(name, [...known.gateways]);
  return {
    severity: known.snapshot.services.length === 0 && known.gateways.size === 0 ? 'warning' : 'error',
    code: 'no-such-gateway',
    message: `there is no Gateway ${name}`,
    hint: near === undefined ? 'add the Gateway, or write namespace/name for one in another namespace' : `did you mean ${near}?`,
  };
}

/** A delegate is a VirtualService without hosts. */
function checkDelegate(name: string, { virtualServices }: Snapshot): Finding | undefined {
  const found = virtualServices.find(({ meta }) => keyOf(meta) === name);
  if (found !== undefined && found.hosts.length === 0) return undefined;
  return {
    severity: 'error',
    code: 'no-such-delegate',
    message:
      found === undefined
        ? `there is no VirtualService ${name}; its requests go on to the routes that follow`
        : `the VirtualService ${name} has hosts, so it is no delegate; its requests go on to the routes that follow`,
    hint: found === undefined ? 'add it, without hosts' : `remove hosts from ${name}`,
  };
}

function checkRuleHost(host: Hostname, known: Known): Finding | undefined {
  if (serviceOf(host, known) !== undefined || host.includes('*')) return undefined;
  const near = closest(host, [...known.services.keys()]);
  return {
    severity: known.snapshot.services.length === 0 ? 'info' : 'warning',
    code: 'no-such-host',
    message: `there is no Service or ServiceEntry for ${host}; the rule has no effect`,
    hint: near === undefined ? 'add the Service, or correct the host' : `did you mean ${near}?`,
  };
}

/** Gateways are looked at with all that is written (gateway-selectors.ts). */
function checkSelector(selector: Labels, namespace: string | undefined, kind: Kind, known: Known): Finding | undefined {
  if (kind === 'Gateway' || known.snapshot.workloads.length === 0) return undefined;
  const workloads = namespace === undefined ? known.snapshot.workloads : (known.workloads.get(namespace) ?? []);
  const hit = workloads.some(
    (one) => selects(selector, one.labels) || one.instances.some((instance) => selects(selector, instance.labels)),
  );
  if (hit) return undefined;
  const written = Object.entries(selector).map(([name, value]) => `${name}=${value}`);
  return {
    severity: 'warning',
    code: 'selects-nothing',
    message: `no workload${namespace === undefined ? '' : ` in namespace ${namespace}`} has the labels ${written.join(', ')}; the object has no effect`,
    hint: 'correct the labels, or the namespace',
  };
}

/** A subset of a Service by labels that none of its workloads has. */
function checkSubsetLabels(host: Hostname, subset: string, labels: Labels, known: Known): Finding | undefined {
  const service = known.services.get(host);
  const workloads = service === undefined ? [] : workloadsOf(known.snapshot, service);
  if (service?.selector === undefined || service.endpoints.length > 0) return undefined;
  if (workloads.some((one) => selects(labels, one.labels) || one.instances.some((instance) => selects(labels, instance.labels))))
    return undefined;
  const written = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return {
    severity: known.snapshot.workloads.length === 0 ? 'info' : 'warning',
    code: 'selects-nothing',
    message: `no workload behind ${host} has the labels ${written.join(', ')} of subset ${subset}; requests to it will be answered with 503`,
    hint: 'correct the labels, or deploy the version',
  };
}
