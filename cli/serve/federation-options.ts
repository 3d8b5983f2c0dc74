import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { type FederatedPeer, parsePeer, parsePeerOption } from '../../ca/federation/peer.ts';
import type { Parsed } from '../../ca/identity/parsed.ts';
import { parseDuration } from '../../mesh/admit/duration.ts';
import { type ListenAddress, parseListenAddress } from '../options/address.ts';

export interface FederationFlags {
  readonly bundleEndpoint?: string;
  readonly bundleEndpointCert?: string;
  readonly bundleEndpointKey?: string;
  readonly bundleRefreshHint?: string;
  readonly federate?: readonly string[];
  readonly federation?: string;
}

export interface FederationOptions {
  readonly peers: readonly FederatedPeer[];
  /** `files`: a Web PKI certificate (https_web); without it the endpoint has its SVID (https_spiffe). */
  readonly endpoint:
    { readonly address: ListenAddress; readonly files: { readonly cert: string; readonly key: string } | undefined } | undefined;
  readonly refreshHintSeconds: number;
}

const DEFAULT_HINT_SECONDS = 300;

const refused = (reason: string): { readonly ok: false; readonly reason: string } => ({ ok: false, reason });

export function parseFederationFlags(flags: FederationFlags): Parsed<FederationOptions> {
  const peers: FederatedPeer[] = [];
  for (const text of flags.federate ?? []) {
    const peer = parsePeerOption(text);
    if (!peer.ok) return refused(`--federate ${text}: ${peer.reason}`);
    peers.push(withPaths(peer.value, '.'));
  }
  const listed = flags.federation === undefined ? { ok: true as const, value: [] } : peersOfFile(flags.federation);
  if (!listed.ok) return refused(`--federation: ${listed.reason}`);
  const endpoint = parseEndpoint(flags);
  if (!endpoint.ok) return endpoint;
  const hint =
    flags.bundleRefreshHint === undefined ? DEFAULT_HINT_SECONDS : (parseDuration(flags.bundleRefreshHint) ?? 0) / 1000;
  if (hint < 1 || hint > 86_400)
    return refused(`--bundle-refresh-hint: ${String(flags.bundleRefreshHint)} is not between 1s and 24h`);
  const value = { peers: [...peers, ...listed.value], endpoint: endpoint.value, refreshHintSeconds: Math.floor(hint) };
  return { ok: true, value };
}

function parseEndpoint(flags: FederationFlags): Parsed<FederationOptions['endpoint']> {
  const { bundleEndpoint, bundleEndpointCert: cert, bundleEndpointKey: key } = flags;
  if ((cert === undefined) !== (key === undefined))
    return refused('--bundle-endpoint-cert and --bundle-endpoint-key go together');
  if (bundleEndpoint === undefined)
    return cert === undefined ? { ok: true, value: undefined } : refused('--bundle-endpoint-cert needs --bundle-endpoint');
  const address = parseListenAddress(bundleEndpoint);
  if (!address.ok) return refused(`--bundle-endpoint: ${address.reason}`);
  const files = cert === undefined || key === undefined ? undefined : { cert: resolve(cert), key: resolve(key) };
  return { ok: true, value: { address: address.value, files } };
}

/** A YAML list of maps with the fields of parsePeer. */
function peersOfFile(path: string): Parsed<readonly FederatedPeer[]> {
  let list: unknown;
  try {
    list = parse(readFileSync(path, 'utf8'), { maxAliasCount: 0 });
  } catch (error) {
    return refused(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!Array.isArray(list)) return refused(`${path}: must be a list of {trustDomain, url, profile, ...}`);
  const peers: FederatedPeer[] = [];
  for (const [index, entry] of list.entries()) {
    const fields: unknown = entry;
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
      return refused(`${path}: entry ${index + 1} must be a map of fields`);
    const peer = parsePeer({ ...fields });
    if (!peer.ok) return refused(`${path}: entry ${index + 1}: ${peer.reason}`);
    peers.push(withPaths(peer.value, dirname(path)));
  }
  return { ok: true, value: peers };
}

/** Files are relative to where they are named: the working folder, or the folder of the list. */
function withPaths(peer: FederatedPeer, folder: string): FederatedPeer {
  const { profile } = peer;
  if (profile.kind === 'https_web')
    return { ...peer, profile: { ...profile, roots: profile.roots === undefined ? undefined : resolve(folder, profile.roots) } };
  return { ...peer, profile: { ...profile, bundle: profile.bundle === undefined ? undefined : resolve(folder, profile.bundle) } };
}
