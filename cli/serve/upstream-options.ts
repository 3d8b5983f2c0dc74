import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { parsed, refused, type Parsed } from '../../ca/identity/parsed.ts';
import { parseBundle } from '../../ca/root/chain.ts';
import type { UpstreamSettings } from '../../ca/upstream/open.ts';
import { stepUpstream } from '../../ca/upstream/step.ts';
import type { Upstream } from '../../ca/upstream/upstream.ts';
import { vaultEndpoint, vaultUpstream } from '../../ca/upstream/vault.ts';
import { parseDuration } from '../../mesh/admit/duration.ts';

/** What commander hands over. */
export interface UpstreamFlags {
  readonly upstream?: string;
  readonly upstreamCredential?: string;
  readonly upstreamRoots?: string;
  readonly upstreamProvisioner: string;
  readonly upstreamNamespace?: string;
  readonly upstreamTtl: string;
}

const TIMEOUT_MS = 15_000;
const SHORTEST_TTL_SECONDS = 60;
const LONGEST_TTL_SECONDS = 10 * 365 * 24 * 3600;

export function addUpstreamOptions(command: Command): Command {
  return command
    .option('--upstream <kind=url>', "who signs this authority's intermediate: vault=URL (also OpenBao) or step=URL")
    .option('--upstream-credential <file>', "the upstream's token (vault), or its provisioner's private key as JWK (step)")
    .option('--upstream-roots <file>', "roots that the upstream's TLS certificate must lead to (default: the machine's)")
    .option('--upstream-provisioner <name>', 'step: the JWK provisioner', 'gatehouse')
    .option('--upstream-namespace <name>', 'vault: the namespace')
    .option('--upstream-ttl <duration>', 'lifetime of an intermediate; it is renewed at half of it', '720h');
}

/** Undefined where no upstream is asked for. */
export function parseUpstreamFlags(flags: UpstreamFlags): Parsed<UpstreamSettings | undefined> {
  if (flags.upstream === undefined)
    return flags.upstreamCredential === undefined
      ? parsed(undefined)
      : refused('--upstream-credential is for --upstream KIND=URL');
  const [, kind, address] = /^(vault|step)=(.+)$/.exec(flags.upstream) ?? [];
  const url = address !== undefined && URL.canParse(address) ? new URL(address) : undefined;
  if (kind === undefined || url?.protocol !== 'https:' || url.username !== '' || url.search !== '')
    return refused(`--upstream: ${flags.upstream} is neither vault=https://HOST:PORT[/MOUNT] nor step=https://HOST:PORT`);
  if (flags.upstreamCredential === undefined)
    return refused(
      kind === 'vault'
        ? '--upstream-credential FILE is needed: the token that may sign intermediates'
        : "--upstream-credential FILE is needed: the provisioner's private key, a JWK",
    );
  const ttlSeconds = (parseDuration(flags.upstreamTtl) ?? 0) / 1000;
  if (ttlSeconds < SHORTEST_TTL_SECONDS || ttlSeconds > LONGEST_TTL_SECONDS)
    return refused(`--upstream-ttl: ${flags.upstreamTtl} is not between 1m and 87600h`);
  const roots = rootsAt(flags.upstreamRoots);
  if (!roots.ok) return roots;
  const common = { rootsPem: roots.value, timeoutMs: TIMEOUT_MS };
  const secret = resolve(flags.upstreamCredential);
  const upstream: Upstream =
    kind === 'vault'
      ? vaultUpstream({ ...common, endpoint: vaultEndpoint(url), tokenFile: secret, namespace: flags.upstreamNamespace })
      : stepUpstream({
          ...common,
          server: url,
          provisioner: flags.upstreamProvisioner,
          keyFile: secret,
          clock: () => new Date(),
        });
  return parsed({ upstream, ttlSeconds: Math.floor(ttlSeconds) });
}

function rootsAt(path: string | undefined): Parsed<string | undefined> {
  if (path === undefined) return parsed(undefined);
  try {
    const text = readFileSync(path, 'utf8');
    const bundle = parseBundle(text);
    return bundle.ok ? parsed(text) : refused(`--upstream-roots: ${path}: ${bundle.reason}`);
  } catch {
    return refused(`--upstream-roots: ${path} cannot be read`);
  }
}
