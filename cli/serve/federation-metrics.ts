import { Gauge, type Registry } from 'prom-client';
import type { PeerStatus } from '../../ca/federation/following.ts';

/** How it stands with the bundles of other trust domains. */
export function federationMetrics(registry: Registry, peers: () => readonly PeerStatus[]): void {
  const each = (name: string, help: string, value: (peer: PeerStatus) => number | undefined): void => {
    const made: Gauge<'trust_domain'> = new Gauge({
      name,
      help,
      labelNames: ['trust_domain'],
      registers: [registry],
      collect: () => {
        made.reset();
        for (const peer of peers()) {
          const number = value(peer);
          if (number !== undefined) made.set({ trust_domain: peer.trustDomain }, number);
        }
      },
    });
  };
  each('gatehouse_federation_roots', "roots in a federated trust domain's last good bundle", ({ roots }) => roots);
  each('gatehouse_federation_last_fetch_timestamp_seconds', 'when its bundle was fetched last', ({ lastFetched }) =>
    lastFetched === null ? undefined : Date.parse(lastFetched) / 1000,
  );
  each('gatehouse_federation_failing', '1 while its bundle cannot be fetched', ({ lastError }) => (lastError === null ? 0 : 1));
}
