import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { Authority } from '../../ca/authority.ts';
import type { Federation } from '../../ca/bundle.ts';
import { type BundleEndpoint, type EndpointCertificate, startBundleEndpoint } from '../../ca/federation/endpoint.ts';
import { fetchBundle } from '../../ca/federation/fetch.ts';
import { type Following, followPeers, systemAfter } from '../../ca/federation/following.ts';
import { checkPeers } from '../../ca/federation/peer.ts';
import { publication } from '../../ca/federation/publication.ts';
import { bundleFolder } from '../../ca/federation/store.ts';
import { parseSpiffeId, type SpiffeId } from '../../ca/identity/spiffe-id.ts';
import { systemEvery } from '../../ca/tls/credentials.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { SnapshotResources } from '../../xds/resources/source.ts';
import { formatAddress, type ListenAddress } from '../options/address.ts';
import type { FederationOptions } from './federation-options.ts';

export interface FederationParts {
  readonly authority: Authority;
  readonly caDir: string;
  readonly meshConfig: () => MeshConfig;
  readonly resources: () => SnapshotResources | undefined;
  readonly clock: () => Date;
  readonly log: Logger;
}

export interface RunningFederation {
  /** Where our own bundle is published. */
  readonly endpoint: ListenAddress | undefined;
  /** What proxies are told of other trust domains; undefined where there are none. */
  current(): Federation | undefined;
  /** To be called after each snapshot: the aliases of our own trust domain may have changed. */
  publish(): void;
  readonly jwtKeySets: Following['jwtKeySets'];
  readonly status: Following['status'];
  close(): Promise<void>;
}

/** The identity of a control plane that publishes its bundle. No workload's: those are /ns/NAMESPACE/sa/ACCOUNT. */
function endpointIdOf({ trustDomain }: Authority): SpiffeId {
  const id = parseSpiffeId(`spiffe://${trustDomain}/gatehouse/bundle-endpoint`);
  if (!id.ok) throw new RangeError(id.reason);
  return id.value;
}

/** Follows the bundles of other trust domains and publishes our own. Rejects when a file or an address cannot be used. */
export async function startFederation(options: FederationOptions, parts: FederationParts): Promise<RunningFederation> {
  const { authority, caDir, meshConfig, resources, clock, log } = parts;
  const wrong = checkPeers(options.peers, authority.trustDomain);
  if (wrong !== undefined) throw new Error(`--federate: ${wrong}`);
  const current = (): Federation | undefined => {
    if (options.peers.length === 0) return undefined;
    const { trustDomain, trustDomainAliases } = meshConfig();
    return { own: [...new Set([trustDomain, ...trustDomainAliases])], foreign: following.roots() };
  };
  const publish = (): void => {
    const source = resources();
    if (source === undefined) return;
    const { bundle } = source.bundle();
    const federation = current();
    if (federation === undefined || JSON.stringify(federation) === JSON.stringify(bundle.federation)) return;
    source.publishBundle({ ...bundle, generation: bundle.generation + 1, federation });
  };
  const following: Following = await followPeers({
    peers: options.peers,
    trustDomain: authority.trustDomain,
    ownRootsPem: () => authority.rootCertPem,
    fetch: fetchBundle,
    store: bundleFolder(caDir),
    clock,
    after: systemAfter,
    random: Math.random,
    log,
    onChange: publish,
  });
  const endpoint = options.endpoint && (await publishOwn(options, options.endpoint, parts));
  return {
    endpoint: endpoint && { host: endpoint.host, port: endpoint.port },
    current,
    publish,
    jwtKeySets: () => following.jwtKeySets(),
    status: () => following.status(),
    async close() {
      following.close();
      await endpoint?.close();
    },
  };
}

async function publishOwn(
  { refreshHintSeconds }: FederationOptions,
  { address, files }: NonNullable<FederationOptions['endpoint']>,
  { authority, caDir, clock, log }: FederationParts,
): Promise<BundleEndpoint> {
  const jwt = () => authority.jwt.bundle();
  const bundle = publication({
    caDir,
    rootsPem: () => authority.rootCertPem,
    jwtKeys: () => jwt().keys,
    refreshHintSeconds: Math.min(refreshHintSeconds, jwt().refreshHintSeconds),
    log,
  });
  const certificate = files === undefined ? () => ownCertificate(authority) : () => certificateOf(files, clock);
  try {
    return await startBundleEndpoint({ ...address, bundle, certificate, clock, every: systemEvery, log });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`--bundle-endpoint ${formatAddress(address)}: ${reason}`, { cause: error });
  }
}

async function ownCertificate(authority: Authority): Promise<EndpointCertificate> {
  const { chainPem, keyPem, renewAt } = await authority.ownSvid(endpointIdOf(authority));
  return { certPem: chainPem, keyPem, renewAt };
}

const READ_EVERY_MS = 60_000;

/** A Web PKI certificate from files that somebody else renews: read anew every minute. */
async function certificateOf(
  files: { readonly cert: string; readonly key: string },
  clock: () => Date,
): Promise<EndpointCertificate> {
  const [certPem, keyPem] = await Promise.all([readFile(files.cert, 'utf8'), readFile(files.key, 'utf8')]);
  return { certPem, keyPem, renewAt: new Date(clock().getTime() + READ_EVERY_MS) };
}
