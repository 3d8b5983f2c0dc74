import type { TrustBundle } from '../../ca/bundle.ts';
import type { Revocations } from '../../ca/revocation/revocations.ts';
import type { SnapshotResources } from '../../xds/resources/source.ts';

/** A service that holds streams of proxies open. */
export interface HoldsStreams {
  reauthenticate(): void;
}

/** A bundle with the revocation lists of now. */
export function withCrls(
  { generation, rootsPem, intermediatesPem, federation }: TrustBundle,
  revocations: Revocations,
): TrustBundle {
  const crlPem = revocations.crlPem();
  return { generation, rootsPem, intermediatesPem, federation, ...(crlPem !== undefined && { crlPem }) };
}

/**
 * What follows from a revocation outside of the authority: proxies refuse whom it names, by policy and by the lists in their
 * trust bundle, and its own streams end.
 */
export function enforceRevocations(
  revocations: Revocations,
  resources: SnapshotResources,
  services: readonly HoldsStreams[],
): void {
  revocations.onChange(() => {
    const { bundle } = resources.bundle();
    const next = withCrls(bundle, revocations);
    const changed = next.crlPem !== bundle.crlPem;
    resources.publishRevoked(revocations.peers(), changed ? { ...next, generation: bundle.generation + 1 } : bundle);
    for (const service of services) service.reauthenticate();
  });
}
