import { listOf, recordOf } from './golden/record.ts';

interface Place {
  readonly host: string;
  readonly port: number;
}

function address({ host, port }: Place): object {
  return { socketAddress: { address: host, portValue: port } };
}

/**
 * The configuration of a captured sidecar for a machine without iptables: its inbound listener takes a port itself, and what it passes
 * on goes to the application's address; which chain is taken, and what decides in it, stays as it was made.
 */
export function throughChainsOfUndeclaredPorts(config: object, taken: Place, application: Place): object {
  const made = recordOf(config);
  const resources = recordOf(made['staticResources']);
  const inbound = listOf(resources['listeners'])
    .map(recordOf)
    .filter(({ name }) => name === 'virtualInbound')
    .map((listener) => ({
      ...listener,
      address: address(taken),
      listenerFilters: listOf(listener['listenerFilters']).filter(
        (filter) => recordOf(filter)['name'] !== 'envoy.filters.listener.original_dst',
      ),
    }));
  const clusters = listOf(resources['clusters'])
    .map(recordOf)
    .map((cluster) => {
      if (cluster['type'] !== 'ORIGINAL_DST') return cluster;
      const { name, typedExtensionProtocolOptions } = cluster;
      const endpoints = [{ lbEndpoints: [{ endpoint: { address: address(application) } }] }];
      return { name, type: 'STATIC', typedExtensionProtocolOptions, loadAssignment: { clusterName: name, endpoints } };
    });
  return { ...made, staticResources: { ...resources, listeners: inbound, clusters } };
}
