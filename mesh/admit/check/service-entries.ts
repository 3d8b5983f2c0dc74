import type { Diagnostic } from '../../model/diagnostic.ts';
import type { Visibility } from '../../model/service.ts';
import { itemsAt, numberAt, textAt, textsAt } from '../node-path.ts';
import { shorten } from '../node.ts';
import type { Written } from '../written.ts';
import { foundInEach, foundInGroups } from '../../model/found-in.ts';
import { finding, type Inventory } from './inventory.ts';
import { remembered } from '../../model/remembered.ts';

interface Place {
  readonly entry: Written;
  readonly at: number;
  readonly protocol: string;
  readonly seenFrom: Visibility;
  /** The host and the port. */
  readonly key: string;
}

function visibility({ node, namespace }: Written): Visibility {
  const names = textsAt(node, 'spec', 'exportTo');
  if (names.length === 0 || names.includes('*')) return { kind: 'all' };
  return { kind: 'namespaces', namespaces: names.map((name) => (name === '.' ? namespace : name)) };
}

export function seenTogether(one: Visibility, other: Visibility): boolean {
  if (one.kind === 'all' || other.kind === 'all') return true;
  return one.namespaces.some((name) => other.namespaces.includes(name));
}

/** TCP calls are told apart by address only, and without one of its own the host's is known to its DNS alone. */
const withoutAddress = foundInEach<Written, Diagnostic>((entry) => {
  if (itemsAt(entry.node, 'spec', 'addresses').length > 0 || itemsAt(entry.node, 'status', 'addresses').length > 0) return [];
  if (textsAt(entry.node, 'spec', 'hosts').some((host) => host.startsWith('*'))) return [];
  return itemsAt(entry.node, 'spec', 'ports').flatMap((port, at) => {
    const protocol = textAt(port, 'protocol').toUpperCase();
    if (protocol !== '' && protocol !== 'TCP') return [];
    return [
      finding(
        entry,
        `spec.ports[${at}]`,
        'info',
        'tcp-without-address',
        `TCP on port ${numberAt(port, 'number') ?? ''} is told apart by address: only callers that resolve the host to the address the mesh gives it are routed, others pass by this entry`,
        'give addresses, or the protocol (HTTP, HTTPS, TLS), or have proxies answer DNS (ISTIO_META_DNS_AUTO_ALLOCATE)',
      ),
    ];
  });
});

const places = remembered((entry: Written): readonly Place[] => {
  const seenFrom = visibility(entry);
  return itemsAt(entry.node, 'spec', 'ports').flatMap((port, at) => {
    const number = numberAt(port, 'number');
    const protocol = textAt(port, 'protocol').toUpperCase();
    if (number === undefined || protocol === '') return [];
    return textsAt(entry.node, 'spec', 'hosts').map((host) => ({
      entry,
      at,
      protocol,
      seenFrom,
      key: `${host.toLowerCase()}:${number}`,
    }));
  });
});

/** ServiceEntries that give one port of one host two protocols. */
const protocolConflicts = foundInGroups<Written, Diagnostic>(
  (entry) => places(entry).map(({ key }) => key),
  (entries, key) => {
    if (entries.length < 2) return [];
    const same = entries.flatMap((entry) => places(entry).filter((one) => one.key === key));
    return same.flatMap(({ entry, at, protocol, seenFrom }) => {
      const other = same.find((one) => one.entry !== entry && one.protocol !== protocol && seenTogether(one.seenFrom, seenFrom));
      if (other === undefined) return [];
      return [
        finding(
          entry,
          `spec.ports[${at}].protocol`,
          'warning',
          'protocol-conflict',
          `${shorten(key)} is ${shorten(protocol)} here and ${shorten(other.protocol)} in ServiceEntry ${other.entry.namespace}/${other.entry.name}; callers that see both take one of them`,
          'use one protocol, or limit exportTo',
        ),
      ];
    });
  },
);

/** ServiceEntries whose calls cannot be told apart. */
export function serviceEntries(inventory: Inventory): readonly Diagnostic[] {
  const entries = inventory.istio('ServiceEntry');
  const allocated = inventory.part('meshConfig').dnsAutoAllocate === true;
  return [...(allocated ? [] : withoutAddress(entries)), ...protocolConflicts(entries)];
}
