// A trust domain with an authority and a bundle endpoint of its own, in this process.
import type { Authority } from '../../../ca/authority.ts';
import { type BundleEndpoint, startBundleEndpoint } from '../../../ca/federation/endpoint.ts';
import { publication } from '../../../ca/federation/publication.ts';
import { parseSpiffeId, type SpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { parseTrustDomain } from '../../../ca/identity/trust-domain.ts';
import { systemEvery } from '../../../ca/tls/credentials.ts';
import { must } from '../identity/must.ts';
import { type World, world } from '../world.ts';

export interface Domain {
  readonly world: World;
  readonly authority: Authority;
  readonly endpoint: BundleEndpoint;
  readonly endpointId: SpiffeId;
  readonly bundle: () => Promise<string>;
}

export const clock = () => new Date();

export async function domain(name: string): Promise<Domain> {
  const at = await world();
  const authority = await at.open({ trustDomain: must(parseTrustDomain(name)) });
  const bundle = publication({
    caDir: at.caDir,
    rootsPem: () => authority.rootCertPem,
    jwtKeys: () => authority.jwt.bundle().keys,
    refreshHintSeconds: 1,
    log: at.log,
  });
  const endpointId = must(parseSpiffeId(`spiffe://${name}/gatehouse/bundle-endpoint`));
  const certificate = async () => {
    const { chainPem, keyPem, renewAt } = await authority.ownSvid(endpointId);
    return { certPem: chainPem, keyPem, renewAt };
  };
  const endpoint = await startBundleEndpoint({
    host: '127.0.0.1',
    port: 0,
    bundle,
    certificate,
    clock,
    every: systemEvery,
    log: at.log,
  });
  return { world: at, authority, endpoint, endpointId, bundle };
}

export const urlOf = ({ endpoint }: Domain): string => `https://127.0.0.1:${endpoint.port}/`;
