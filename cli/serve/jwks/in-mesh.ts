import { endpointsOf } from '../../../mesh/model/endpoints.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { FindInMesh } from './http-get.ts';

/** Finds Services of the mesh by `name.namespace`, also where no DNS knows them (a mesh on one machine). */
export function findInMesh(current: () => Snapshot): FindInMesh {
  return (hostname, port) => {
    const snapshot = current();
    const { clusterDomain } = snapshot.meshConfig;
    const [name, namespace, ...rest] = hostname.split('.');
    const tail = rest.join('.');
    if (name === undefined || namespace === undefined || !['', 'svc', `svc.${clusterDomain}`].includes(tail)) return undefined;
    const full = `${name}.${namespace}.svc.${clusterDomain}`;
    const service = snapshot.services.find((one) => one.hostname === full);
    const servicePort = service?.ports.find((one) => one.port === port);
    const [endpoint] = service === undefined || servicePort === undefined ? [] : endpointsOf(snapshot, service, servicePort);
    return endpoint && { address: endpoint.address, port: endpoint.port };
  };
}
