import type { EndpointSlice, SliceEndpoint } from '../../model/endpoint-slice.ts';
import { parsePort, type Port } from '../../model/port.ts';
import { isAddress } from '../address.ts';
import type { Context } from '../context.ts';
import { Field, fieldsOf, itemsOf } from '../field.ts';
import { type Node, shorten } from '../node.ts';
import { flag, integer, oneOf, optionalText, text, texts } from '../scalar.ts';

const SERVICE = 'kubernetes.io/service-name';

/**
 * Reads an EndpointSlice (Kubernetes API reference, discovery.k8s.io/v1): its fields stand beside `metadata`.
 * @param spec of an object that has none; for its report
 */
export function readEndpointSlice(context: Context, root: Node, spec: Field): EndpointSlice {
  const { meta } = context;
  const fields = fieldsOf(
    new Field(root, '', root.line, spec.report),
    ['addressType', 'endpoints', 'ports', 'metadata'],
    'tolerant',
  );
  const type = oneOf(fields.addressType, ['IPv4', 'IPv6', 'FQDN']);
  const service = meta.labels[SERVICE];
  if (service === undefined || service === '')
    fields.metadata.warning('no-service', 'names no Service, so nothing is sent to it', `as labels: {${SERVICE}: my-service}`);
  if (type === 'FQDN')
    fields.addressType.warning(
      'not-yet-applied',
      'host names as endpoints are not used, as in Istio',
      'write a ServiceEntry with resolution: DNS',
    );
  const endpoints = type === 'FQDN' ? [] : itemsOf(fields.endpoints).flatMap((item) => (item.given ? endpointsIn(item) : []));
  return { meta, service, addresses: [{ endpoints, ports: portsIn(fields.ports) }] };
}

function endpointsIn(item: Field): readonly SliceEndpoint[] {
  const fields = fieldsOf(item, ['addresses', 'conditions', 'hostname', 'targetRef', 'nodeName', 'zone', 'topology'], 'tolerant');
  const { ready } = fieldsOf(fields.conditions, ['ready'], 'tolerant');
  // v1beta1 has the place in `topology`.
  const topology = fieldsOf(fields.topology, ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'], 'tolerant');
  const written = texts(fields.addresses);
  for (const address of written)
    if (!isAddress(address)) fields.addresses.error('bad-address', `"${shorten(address)}" is no address`, 'as [10.0.0.7]');
  const shared = {
    // Kubernetes: what is not known to be unready counts as ready. One that terminates is never ready.
    ready: flag(ready) ?? true,
    pod: podOf(fields.targetRef),
    hostname: optionalText(fields.hostname),
    node: optionalText(fields.nodeName) ?? optionalText(topology['kubernetes.io/hostname']),
    zone: optionalText(fields.zone) ?? optionalText(topology['topology.kubernetes.io/zone']),
  };
  return written.map((address) => ({ address, ...shared }));
}

/** The name of the Pod that an endpoint is. */
export function podOf(targetRef: Field): string | undefined {
  const { kind, name } = fieldsOf(targetRef, ['kind', 'name'], 'tolerant');
  return text(kind) === 'Pod' ? optionalText(name) : undefined;
}

/** Port numbers by name; a port without a number (any) is none that could be sent to. */
export function portsIn(field: Field): Readonly<Record<string, Port>> {
  const found: Record<string, Port> = {};
  for (const item of itemsOf(field)) {
    const { name, port } = fieldsOf(item, ['name', 'port'], 'tolerant');
    const number = parsePort(integer(port, 0, 65535));
    if (number !== undefined) found[text(name)] = number;
  }
  return found;
}
