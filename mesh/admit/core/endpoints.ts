import type { EndpointSlice, SliceEndpoint } from '../../model/endpoint-slice.ts';
import { isAddress } from '../address.ts';
import type { Context } from '../context.ts';
import { Field, fieldsOf, itemsOf } from '../field.ts';
import { type Node, shorten } from '../node.ts';
import { optionalText, text } from '../scalar.ts';
import { podOf, portsIn } from './endpoint-slice.ts';

/**
 * Reads an Endpoints, the older kind of EndpointSlice: of the Service that has its name.
 * @param spec of an object that has none; for its report
 */
export function readEndpoints(context: Context, root: Node, spec: Field): EndpointSlice {
  const { subsets } = fieldsOf(new Field(root, '', root.line, spec.report), ['subsets'], 'tolerant');
  const addresses = itemsOf(subsets).map((subset) => {
    const fields = fieldsOf(subset, ['addresses', 'notReadyAddresses', 'ports'], 'tolerant');
    const endpoints = [
      ...itemsOf(fields.addresses).map((item) => endpoint(item, true)),
      ...itemsOf(fields.notReadyAddresses).map((item) => endpoint(item, false)),
    ];
    return { endpoints, ports: portsIn(fields.ports) };
  });
  return { meta: context.meta, service: context.meta.name, addresses };
}

function endpoint(item: Field, ready: boolean): SliceEndpoint {
  const fields = fieldsOf(item, ['ip', 'hostname', 'nodeName', 'targetRef'], 'tolerant');
  const address = text(fields.ip);
  if (!isAddress(address)) fields.ip.error('bad-address', `"${shorten(address)}" is no address`, 'as ip: 10.0.0.7');
  return {
    address,
    ready,
    pod: podOf(fields.targetRef),
    hostname: optionalText(fields.hostname),
    node: optionalText(fields.nodeName),
    zone: undefined,
  };
}
