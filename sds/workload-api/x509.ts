import { create } from '@bufbuild/protobuf';
import {
  type X509BundlesResponse,
  X509BundlesResponseSchema,
  type X509SVIDResponse,
  X509SVIDResponseSchema,
} from '#gen/gatehouse/workload/v1/spiffe_workload_api_pb.js';
import type { TrustDomain } from '../../ca/identity/trust-domain.ts';
import type { Svid } from '../identity/accept.ts';
import type { TrustBundle } from '../identity/bundle.ts';
import type { WorkloadIdentity } from './identity.ts';

/** Certificates as the Workload API carries them: DER, one after the other. */
function der(certificates: readonly { readonly raw: Buffer }[]): Buffer {
  return Buffer.concat(certificates.map(({ raw }) => raw));
}

/** The key of a trust domain in the maps of the Workload API. */
export function domainKey(domain: TrustDomain): string {
  return `spiffe://${domain}`;
}

function bundleMap(bundles: ReadonlyMap<TrustDomain, TrustBundle>): Record<string, Buffer> {
  return Object.fromEntries([...bundles].map(([domain, { roots }]) => [domainKey(domain), der(roots)]));
}

export function svidResponse(svid: Svid, bundle: TrustBundle, identity: WorkloadIdentity): X509SVIDResponse {
  return create(X509SVIDResponseSchema, {
    svids: [
      {
        spiffeId: svid.id,
        x509Svid: der([svid.leaf, ...svid.intermediates]),
        x509SvidKey: svid.key.export({ type: 'pkcs8', format: 'der' }),
        bundle: der(bundle.roots),
      },
    ],
    crl: [...identity.crls()],
    federatedBundles: bundleMap(identity.federated()),
  });
}

export function bundlesResponse(bundle: TrustBundle, identity: WorkloadIdentity): X509BundlesResponse {
  const bundles = bundleMap(new Map([[identity.trustDomain, bundle], ...identity.federated()]));
  return create(X509BundlesResponseSchema, { crl: [...identity.crls()], bundles });
}
