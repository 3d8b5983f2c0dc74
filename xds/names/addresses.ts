import { indexedBy } from '../../mesh/model/indexed-by.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { isVirtualAddress } from '../../mesh/model/virtual-address.ts';
import { visibleFrom } from '../../routing/visibility.ts';

const byHost = indexedBy<Service>(({ hostname }) => [hostname]);

/**
 * The addresses by which the mesh knows a name, for proxies of a namespace; undefined: DNS is to be asked, as for headless Services, aliases
 * and hosts that the mesh knows by name only. Of several services of one host that of the own namespace counts, then the oldest.
 */
export function addressesOf(
  { services }: Pick<Snapshot, 'services'>,
  name: string,
  namespace: string,
): readonly string[] | undefined {
  for (const host of hostsFor(name)) {
    const seen = byHost(services, host).filter((one) => visibleFrom(one.exportTo, one.meta.namespace, namespace));
    const found = seen.find(({ meta }) => meta.namespace === namespace) ?? seen[0];
    if (found === undefined) continue;
    // A range is none that could be called, and a made-up address none that a connection could go on to.
    const addresses = found.addresses.filter(
      (address) => !address.includes('/') && !(found.resolution === 'none' && isVirtualAddress(address)),
    );
    return addresses.length === 0 ? undefined : addresses;
  }
  return undefined;
}

/** The name, and the wildcards that mean it, the longest first. */
function hostsFor(name: string): readonly string[] {
  const labels = name.split('.');
  return [name, ...labels.slice(1).map((_, at) => `*.${labels.slice(at + 1).join('.')}`)];
}
