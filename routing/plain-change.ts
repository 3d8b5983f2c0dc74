import { covers, type Hostname } from '../mesh/model/hostname.ts';
import { indexedBy } from '../mesh/model/indexed-by.ts';
import { keyOf } from '../mesh/model/object.ts';
import { isHttp } from '../mesh/model/port.ts';
import type { Service } from '../mesh/model/service.ts';
import type { VirtualService } from '../mesh/model/virtual-service.ts';
import type { ChangedLists } from './change.ts';
import { INBOUND_CAPTURE_PORT, OUTBOUND_CAPTURE_PORT } from './names.ts';

const RESERVED: ReadonlySet<number> = new Set([OUTBOUND_CAPTURE_PORT, INBOUND_CAPTURE_PORT]);

/**
 * Names by which a host may be asked for from any namespace, whatever the cluster's domain; and the one by which it is asked for from its own
 * namespace alone.
 */
function namesOf(host: Hostname): { readonly everywhere: readonly string[]; readonly local: string | undefined } {
  const short = host.split('.svc.', 1)[0] ?? host;
  if (short === host) return { everywhere: [host], local: undefined };
  const dot = short.lastIndexOf('.');
  return { everywhere: [host, short, `${short}.svc`], local: dot > 0 ? short.slice(0, dot) : undefined };
}

const byHost = indexedBy<Service>(({ hostname }) => [hostname]);
const claiming = indexedBy<Service>(({ hostname, aliases = [], addresses }) => [
  ...[hostname, ...aliases].flatMap((host) => namesOf(host).everywhere),
  ...addresses,
]);
const routing = indexedBy<VirtualService>(({ hosts }) => hosts);
const naming = indexedBy<VirtualService>(({ hosts }) => hosts.flatMap((host) => namesOf(host).everywhere));
const keyed = indexedBy<VirtualService>(({ meta }) => [keyOf(meta)]);

/** Without anything by which it could matter to others: HTTP by its own names. */
function isPlain({ hostname, ports, addresses, aliasOf, aliases, headless, resolution }: Service): boolean {
  return (
    hostname.includes('.') &&
    !hostname.includes('*') &&
    aliasOf === undefined &&
    aliases === undefined &&
    headless !== true &&
    resolution !== 'names' &&
    ports.every(({ port, protocol }) => protocol === 'udp' || (isHttp(protocol) && !RESERVED.has(port))) &&
    addresses.every((address) => !address.includes('/'))
  );
}

/** Whether no other service, and no VirtualService that stands for none, can be asked for by a name or an address of this one. */
function isAlone(service: Service, services: readonly Service[], virtuals: readonly VirtualService[]): boolean {
  const { hostname, addresses } = service;
  const { everywhere, local } = namesOf(hostname);
  if (byHost(services, hostname).length > 1) return false;
  return [...everywhere, ...addresses, ...(local === undefined ? [] : [local])].every(
    (name) =>
      claiming(services, name).every((other) => other.hostname === hostname) &&
      naming(virtuals, name).every(({ hosts }) =>
        hosts.every((host) => host === hostname || !namesOf(host).everywhere.includes(name)),
      ),
  );
}

/** Routes of whole hosts, of which no other VirtualService of the mesh says anything. */
function isOnly(virtual: VirtualService, virtuals: readonly VirtualService[]): boolean {
  if (keyed(virtuals, keyOf(virtual.meta)).length > 1) return false;
  return virtual.hosts.every(
    (host) =>
      !host.includes('*') && routing(virtuals, host).every((other) => other === virtual || !other.gateways.includes('mesh')),
  );
}

/** Lists of a snapshot, VirtualServices with the routes of their delegates. */
export interface Seen {
  readonly services: readonly Service[];
  readonly virtuals: readonly VirtualService[];
}

/**
 * Whether what came and went touches nothing else: services of HTTP under names that nobody else claims, and VirtualServices for hosts that no
 * other routes. Then a view can be patched; otherwise who has a name has to be settled among all.
 */
export function isPlainChange(lists: ChangedLists, before: Seen, after: Seen): boolean {
  const { services, virtuals } = lists;
  return (
    services.left.every((one) => isPlain(one) && isAlone(one, before.services, before.virtuals)) &&
    [...services.arrived.keys()].every((one) => isPlain(one) && isAlone(one, after.services, after.virtuals)) &&
    virtuals.left.every((one) => !one.gateways.includes('mesh') || isOnly(one, before.virtuals)) &&
    [...virtuals.arrived.keys()].every((one) => !one.gateways.includes('mesh') || isOnly(one, after.virtuals))
  );
}

/** Whether a wildcard that is routed covers a host. */
export function isCovered(host: Hostname, wildcards: readonly Hostname[]): boolean {
  return wildcards.some((pattern) => covers(pattern, host));
}
