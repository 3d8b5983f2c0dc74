import { readFile } from 'node:fs/promises';
import type { X509Certificate } from 'node:crypto';
import type { Logger } from 'pino';
import { formatSpiffeBundle, parseSpiffeBundle, type SpiffeBundle } from '../bundle/spiffe-bundle.ts';
import { parsed, type Parsed } from '../identity/parsed.ts';
import { trustDomainOf } from '../identity/spiffe-id.ts';
import type { TrustDomain } from '../identity/trust-domain.ts';
import { parseBundle } from '../root/chain.ts';
import { AuthorityError } from '../root/error.ts';
import type { EndpointTrust, FetchBundle } from './fetch.ts';
import type { FederatedPeer } from './peer.ts';
import type { BundleStore } from './store.ts';

/** Runs a task once after a time; the returned function cancels it. */
export type After = (ms: number, task: () => void) => () => void;

export const systemAfter: After = (ms, task) => {
  const timer = setTimeout(task, ms);
  timer.unref();
  return () => clearTimeout(timer);
};

export interface FollowingOptions {
  readonly peers: readonly FederatedPeer[];
  readonly trustDomain: TrustDomain;
  /** Our own roots of this moment, for an endpoint in our own trust domain. */
  readonly ownRootsPem: () => string;
  readonly fetch: FetchBundle;
  readonly store: BundleStore;
  readonly clock: () => Date;
  readonly after: After;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  /** Called after each change of any bundle. */
  readonly onChange: () => void;
}

export interface PeerStatus {
  readonly trustDomain: TrustDomain;
  readonly url: string;
  readonly sequence: number | null;
  readonly roots: number;
  readonly lastFetched: string | null;
  readonly lastError: string | null;
}

export interface Following {
  /** The X.509 roots of each peer that has any, in order of trust domain; PEM. */
  roots(): readonly ForeignRoots[];
  /** The keys of each peer's JWT-SVIDs: JWK Sets by trust domain. */
  jwtKeySets(): ReadonlyMap<TrustDomain, string>;
  status(): readonly PeerStatus[];
  close(): void;
}

export interface ForeignRoots {
  readonly trustDomain: TrustDomain;
  readonly rootsPem: string;
}

/** SPIFFE Federation, section 4: what to do where a bundle has no refresh hint. */
const DEFAULT_REFRESH_MS = 300_000;
const SHORTEST_REFRESH_MS = 1000;
const LONGEST_REFRESH_MS = 3_600_000;
const FIRST_RETRY_MS = 1000;

interface Peer {
  readonly config: FederatedPeer;
  bundle: SpiffeBundle | undefined;
  text: string;
  failures: number;
  lastFetched: Date | undefined;
  lastError: string | undefined;
  cancel: () => void;
}

/**
 * Follows the bundles of other trust domains. Each is polled by its own refresh hint; whatever goes wrong, the last good one stays in
 * force and on disk. A bundle with a smaller sequence number than the last is not taken: somebody serves an old one, with keys that may
 * have been withdrawn. Rejects with AuthorityError when a file that was configured cannot be used.
 */
export async function followPeers(options: FollowingOptions): Promise<Following> {
  const { store, clock, after, random, log, onChange } = options;
  const peers = new Map<TrustDomain, Peer>();
  for (const config of options.peers) peers.set(config.trustDomain, await begin(config, store));
  let closed = false;

  const trustOf = async ({ config: { profile } }: Peer): Promise<Parsed<EndpointTrust>> => {
    if (profile.kind === 'https_web') {
      if (profile.roots === undefined) return parsed({ kind: 'web', rootsPem: undefined });
      const rootsPem = await readFile(profile.roots, 'utf8').catch(() => undefined);
      return rootsPem === undefined
        ? { ok: false, reason: `${profile.roots} cannot be read` }
        : parsed({ kind: 'web', rootsPem });
    }
    const domain = trustDomainOf(profile.endpointId);
    if (domain !== options.trustDomain)
      return parsed({ kind: 'spiffe', endpointId: profile.endpointId, roots: peers.get(domain)?.bundle?.x509Authorities ?? [] });
    const own = parseBundle(options.ownRootsPem());
    return own.ok ? parsed({ kind: 'spiffe', endpointId: profile.endpointId, roots: own.value }) : own;
  };

  const attempt = async (peer: Peer): Promise<Parsed<void>> => {
    const trust = await trustOf(peer);
    if (!trust.ok) return trust;
    const fetched = await options.fetch(peer.config.url, trust.value);
    if (!fetched.ok) return fetched;
    const { bundle, text } = fetched.value;
    const [before, now] = [peer.bundle?.sequence, bundle.sequence];
    if (before !== undefined && now !== undefined && now < before)
      return {
        ok: false,
        reason: `the bundle served has sequence ${now}, older than ${before}; if it began anew, remove ${store.where(peer.config.trustDomain)} and start again`,
      };
    if (text === peer.text) return parsed(undefined);
    const changed = !sameRoots(peer.bundle, bundle);
    peer.bundle = bundle;
    peer.text = text;
    if (changed && !closed) onChange();
    await store
      .write(peer.config.trustDomain, text)
      .catch((error: unknown) => log.error({ error: String(error) }, 'a federated bundle cannot be kept on disk'));
    return parsed(undefined);
  };

  const turn = async (peer: Peer): Promise<void> => {
    const { trustDomain, url } = peer.config;
    const done = await attempt(peer);
    if (closed) return;
    if (done.ok) {
      if (peer.failures > 0 || peer.lastFetched === undefined)
        log.info(
          { trustDomain, url, sequence: peer.bundle?.sequence, roots: peer.bundle?.x509Authorities.length },
          'federated bundle fetched',
        );
      peer.failures = 0;
      peer.lastFetched = clock();
      peer.lastError = undefined;
    } else {
      peer.failures += 1;
      peer.lastError = done.reason;
      const kept = peer.bundle === undefined ? 'nobody of that trust domain is trusted' : 'the last good one stays in force';
      log.warn({ trustDomain, url, reason: done.reason }, `a federated bundle cannot be fetched; ${kept}`);
    }
    peer.cancel = after(pause(peer, random()), () => void turn(peer));
  };

  for (const peer of peers.values()) void turn(peer);
  const ordered = () => [...peers.values()].sort((one, other) => (one.config.trustDomain < other.config.trustDomain ? -1 : 1));
  return {
    roots: () =>
      ordered().flatMap(({ config: { trustDomain }, bundle }) =>
        bundle === undefined || bundle.x509Authorities.length === 0
          ? []
          : [{ trustDomain, rootsPem: bundle.x509Authorities.map(String).join('') }],
      ),
    jwtKeySets: () =>
      new Map(
        ordered().flatMap(({ config: { trustDomain }, bundle }) =>
          bundle === undefined || bundle.jwtAuthorities.size === 0
            ? []
            : [[trustDomain, formatSpiffeBundle({ x509Authorities: [], jwtAuthorities: bundle.jwtAuthorities })] as const],
        ),
      ),
    status: () =>
      ordered().map(({ config: { trustDomain, url }, bundle, lastFetched, lastError }) => ({
        trustDomain,
        url,
        sequence: bundle?.sequence ?? null,
        roots: bundle?.x509Authorities.length ?? 0,
        lastFetched: lastFetched?.toISOString() ?? null,
        lastError: lastError ?? null,
      })),
    close() {
      closed = true;
      for (const peer of peers.values()) peer.cancel();
    },
  };
}

/** Up to a tenth early, so that those who began together do not stay together; after a failure sooner, more and more slowly. */
function pause({ bundle, failures }: Peer, draw: number): number {
  const hint = bundle?.refreshHintSeconds === undefined ? DEFAULT_REFRESH_MS : bundle.refreshHintSeconds * 1000;
  const regular = Math.min(LONGEST_REFRESH_MS, Math.max(SHORTEST_REFRESH_MS, hint));
  const most = failures === 0 ? regular : Math.min(regular, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 20));
  return most * (0.9 + 0.1 * draw);
}

function sameRoots(before: SpiffeBundle | undefined, after: SpiffeBundle): boolean {
  const roots = (of: SpiffeBundle | undefined) => (of?.x509Authorities ?? []).map(({ fingerprint256 }) => fingerprint256).join();
  return before !== undefined && roots(before) === roots(after);
}

/** What is known of a peer at the start: the bundle kept on disk, else the file that was given. */
async function begin(config: FederatedPeer, store: BundleStore): Promise<Peer> {
  const { trustDomain, profile } = config;
  const peer: Peer = {
    config,
    bundle: undefined,
    text: '',
    failures: 0,
    lastFetched: undefined,
    lastError: undefined,
    cancel: () => {},
  };
  const kept = await store.read(trustDomain);
  const known = kept === undefined ? undefined : parseSpiffeBundle(kept);
  if (kept !== undefined && known?.ok === true) {
    peer.bundle = known.value;
    peer.text = kept;
    return peer;
  }
  if (profile.kind !== 'https_spiffe' || profile.bundle === undefined) return peer;
  const text = await readFile(profile.bundle, 'utf8').catch((error: unknown) => {
    throw new AuthorityError(`the bundle of ${trustDomain}: ${error instanceof Error ? error.message : String(error)}`);
  });
  const given = bundleFrom(text);
  if (!given.ok) throw new AuthorityError(`the bundle of ${trustDomain} in ${profile.bundle}: ${given.reason}`);
  peer.bundle = given.value;
  return peer;
}

/** A bundle to begin with: as it is published, or roots as PEM. */
function bundleFrom(text: string): Parsed<SpiffeBundle> {
  if (!text.includes('-----BEGIN')) return parseSpiffeBundle(text);
  const roots: Parsed<readonly X509Certificate[]> = parseBundle(text);
  return roots.ok ? parsed({ x509Authorities: roots.value, jwtAuthorities: new Map() }) : roots;
}
