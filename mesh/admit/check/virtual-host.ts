import { covers, type Hostname } from '../../model/hostname.ts';
import type { Visibility } from '../../model/service.ts';
import type { VirtualService } from '../../model/virtual-service.ts';
import type { Finding } from './finding.ts';
import type { Known } from './known.ts';

/** Two VirtualServices that sidecars of one namespace see for the same host: sidecars take one, they are not merged. Both are told. */
export function checkConflict(host: Hostname, own: VirtualService, known: Known): Finding | undefined {
  if (!own.gateways.includes('mesh')) return undefined;
  const rivals = known.meshRoutes(host).filter((one) => one === own || overlap(one.exportTo, own.exportTo));
  const [first, second] = rivals;
  if (first === undefined || second === undefined) return undefined;
  const other = first === own ? second : first;
  const name = `VirtualService ${other.meta.namespace}/${other.meta.name}`;
  return {
    severity: first === own ? 'info' : 'warning',
    code: 'host-conflict',
    message:
      first === own
        ? `${name} routes ${host} for sidecars too; this one is in effect where both are seen`
        : `${name} already routes ${host} for sidecars; this one has no effect where both are seen`,
    hint: 'put the routes into one VirtualService, or limit exportTo',
  };
}

function overlap(one: Visibility, other: Visibility): boolean {
  if (one.kind === 'all' || other.kind === 'all') return true;
  return one.namespaces.some((namespace) => other.namespaces.includes(namespace));
}

/** A host that none of the gateways it is bound to accepts. Gateways that are not there are another finding. */
export function checkGatewayHost(host: Hostname, own: VirtualService, known: Known): Finding | undefined {
  if (own.gateways.includes('mesh')) return undefined;
  const bound = own.gateways.flatMap((name) => known.gateways(name));
  if (bound.length === 0) return undefined;
  const hosts = bound.flatMap(({ servers }) => servers.flatMap((server) => server.hosts));
  const taken = hosts.some(
    (one) =>
      (one.namespace === '*' || one.namespace === own.meta.namespace) && (covers(one.host, host) || covers(host, one.host)),
  );
  if (taken) return undefined;
  return {
    severity: 'warning',
    code: 'host-not-in-gateway',
    message: `none of its gateways accepts ${host} from namespace ${own.meta.namespace}; requests for it will be answered with 404`,
    hint: `they accept ${hosts.map((one) => (one.namespace === '*' ? one.host : `${one.namespace}/${one.host}`)).join(', ') || 'nothing'}`,
  };
}
