import type { Hostname } from '../../model/hostname.ts';
import { keyOf, type Kind, type Labels } from '../../model/object.ts';
import type { Destination } from '../../model/virtual-service.ts';
import { closest } from '../closest.ts';
import type { Admitted } from '../mesh-object.ts';
import type { Reference } from '../reference.ts';
import type { Finding } from './finding.ts';
import type { Known } from './known.ts';
import { checkConflict, checkGatewayHost } from './virtual-host.ts';

/**
 * Checks what an object says about another. A host or gateway that is missing is an error where the input describes a mesh,
 * and a warning where it is a fragment (no Service at all), which will be added to one.
 */
export function checkReference({ target }: Reference, { object }: Admitted, known: Known): Finding | undefined {
  switch (target.kind) {
    case 'destination':
      return checkDestination(target.destination, known);
    case 'subset':
      return checkSubset(target.host, target.subset, known);
    case 'virtual-host':
      if (object.kind !== 'VirtualService') return undefined;
      return checkConflict(target.host, object.value, known) ?? checkGatewayHost(target.host, object.value, known);
    case 'subset-labels':
      return checkSubsetLabels(target.host, target.subset, target.labels, known);
    case 'gateway':
      return checkGateway(target.name, known);
    case 'delegate':
      return checkDelegate(keyOf(target), known);
    case 'rule-host':
      return checkRuleHost(target.host, known);
    case 'workloads':
      return checkSelector(target.selector, target.everywhere ? undefined : object.value.meta.namespace, object.kind, known);
  }
  return target satisfies never;
}

/** A subset of a host of which nothing is known is not looked for: the host is what is missing. */
function checkSubset(host: Hostname, subset: string, known: Known): Finding | undefined {
  const rules = known.rules(host);
  const names = [...new Set(rules.flatMap(({ subsets }) => subsets.map(({ name }) => name)))];
  if (names.includes(subset) || (rules.length === 0 && known.serviceOrWildcard(host) === undefined)) return undefined;
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
  const service = known.serviceOrWildcard(host);
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
  const near = closest(host, known.hostsNear(host));
  return {
    severity: !known.anyService() ? 'warning' : 'error',
    code: 'no-such-host',
    message: `there is no Service or ServiceEntry for ${host}; requests will be answered with 503`,
    hint:
      near === undefined
        ? 'add the Service, or a ServiceEntry for a host outside the mesh; in another namespace write name.namespace.svc.cluster.local'
        : `did you mean ${near}?`,
  };
}

function checkGateway(name: string, known: Known): Finding | undefined {
  if (known.hasGateway(name)) return undefined;
  const near = closest(name, known.gatewayNames());
  return {
    severity: !known.anyService() && known.gatewayNames().length === 0 ? 'warning' : 'error',
    code: 'no-such-gateway',
    message: `there is no Gateway ${name}`,
    hint: near === undefined ? 'add the Gateway, or write namespace/name for one in another namespace' : `did you mean ${near}?`,
  };
}

/** A delegate is a VirtualService without hosts. */
function checkDelegate(name: string, known: Known): Finding | undefined {
  const found = known.virtualService(name);
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
  if (known.serviceOrWildcard(host) !== undefined || host.includes('*')) return undefined;
  const near = closest(host, known.hostsNear(host));
  return {
    severity: !known.anyService() ? 'info' : 'warning',
    code: 'no-such-host',
    message: `there is no Service or ServiceEntry for ${host}; the rule has no effect`,
    hint: near === undefined ? 'add the Service, or correct the host' : `did you mean ${near}?`,
  };
}

/** Gateways are looked at with all that is written (gateway-selectors.ts). */
function checkSelector(selector: Labels, namespace: string | undefined, kind: Kind, known: Known): Finding | undefined {
  if (kind === 'Gateway' || !known.anyWorkload() || known.anySelected(namespace, selector)) return undefined;
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
  const service = known.service(host);
  if (service?.selector === undefined || service.endpoints.length > 0 || known.anyBehind(service, labels)) return undefined;
  const written = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return {
    severity: known.anyWorkload() ? 'warning' : 'info',
    code: 'selects-nothing',
    message: `no workload behind ${host} has the labels ${written.join(', ')} of subset ${subset}; requests to it will be answered with 503`,
    hint: 'correct the labels, or deploy the version',
  };
}
