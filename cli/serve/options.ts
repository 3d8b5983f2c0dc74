import { resolve } from 'node:path';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { NewKey } from '../../ca/root/new.ts';
import { type AuditFlags, type AuditOptions, parseAuditFlags } from './audit-options.ts';
import { parseDuration } from '../../mesh/admit/duration.ts';
import type { DiagnosticsFormat } from '../input/options.ts';
import { type CaKeyFlags, parseCaKeyFlags } from '../options/ca-key.ts';
import { isLoopback, type ListenAddress, parseListenAddress } from '../options/address.ts';
import { readAlerts } from './alerts/read.ts';
import type { AlertSettings } from './alerts/settings.ts';
import { type ClusterFlags, type ClusterWish, parseClusterFlags } from './cluster-options.ts';
import { type CallerFlags, type CallerOptions, parseCallerFlags } from './caller-options.ts';
import { type FederationFlags, type FederationOptions, parseFederationFlags } from './federation-options.ts';
import type { UpstreamSettings } from '../../ca/upstream/open.ts';
import { parseUpstreamFlags, type UpstreamFlags } from './upstream-options.ts';
import { type PageFlags, type PageOptions, parsePageFlags } from './page-options.ts';
import { parseWebhookFlags, type WebhookFlags, type WebhookOptions } from './webhook-options.ts';

/** What commander hands over. */
export interface ServeFlags
  extends AuditFlags, UpstreamFlags, CaKeyFlags, FederationFlags, CallerFlags, ClusterFlags, WebhookFlags, PageFlags {
  readonly generated?: readonly string[];
  readonly meshConfig?: string;
  readonly caDir: string;
  readonly grpcAddress?: readonly string[];
  readonly httpAddress: string;
  readonly plaintextXds?: string;
  readonly plaintextXdsAnywhere?: boolean;
  readonly allowCaptures?: boolean;
  readonly pageAddress?: string;
  readonly alerts?: string;
  readonly metricSeries: string;
  readonly metricStale: string;
  readonly certificateTtl: string;
  readonly requestJwksRefresh: string;
  readonly automaticScope?: boolean;
  readonly scopeWindow: string;
  readonly diagnostics: DiagnosticsFormat;
  readonly advertise?: readonly string[];
}

export interface ServeOptions extends AuditOptions {
  /** Files and folders; none with a cluster. */
  readonly paths: readonly string[];
  /** Those of them that are the user's: what the control plane writes goes there. */
  readonly ownPaths: readonly string[];
  /** The cluster whose objects are the mesh; undefined with files. */
  readonly cluster: ClusterWish | undefined;
  /** Undefined: there are no webhooks. */
  readonly webhooks: WebhookOptions | undefined;
  readonly meshConfigFile: string | undefined;
  readonly caDir: string;
  readonly caKey: NewKey;
  readonly federation: FederationOptions;
  readonly callers: CallerOptions;
  readonly grpc: readonly ListenAddress[];
  readonly http: ListenAddress;
  /** Where xDS is served without TLS; undefined: nowhere. */
  readonly plaintextXds: ListenAddress | undefined;
  readonly page: PageOptions | undefined;
  /** Whether callers on this machine may take profiles of the process. */
  readonly allowCaptures: boolean;
  /** Undefined: nothing is alerted. */
  readonly alerts: AlertSettings | undefined;
  /** Sets of labels that metrics of calls may have. */
  readonly metricSeries: number;
  /** One to which nothing is added for as long is forgotten. */
  readonly metricStaleMs: number;
  readonly certificateTtlSeconds: number;
  /** How often the keys of token issuers are fetched. */
  readonly requestJwksRefreshMs: number;
  /** Whether proxies are told of the services that they call, where no label and no Sidecar says anything. */
  readonly automaticScope: boolean;
  /** Calls older than this do not count for automatic scopes. */
  readonly scopeWindowMs: number;
  /** Who signs the authority's intermediate; undefined where it has a root of its own. */
  readonly upstream: UpstreamSettings | undefined;
  /** Further DNS names under which proxies reach this server. */
  readonly advertise: readonly string[];
}

export const DEFAULT_GRPC_ADDRESS = '127.0.0.1:15012';
const MAX_TTL_SECONDS = 7 * 24 * 3600;
const SHORTEST_REFRESH_MS = 1000;
const LONGEST_REFRESH_MS = 86_400_000;
const MAX_SERIES = 1_000_000;
const MIN_STALE_MS = 60_000;
const MIN_RETENTION_MS = 3_600_000;

export function parseServeFlags(flags: ServeFlags): Parsed<ServeOptions> {
  const grpc: ListenAddress[] = [];
  for (const text of flags.grpcAddress ?? [DEFAULT_GRPC_ADDRESS]) {
    const address = parseListenAddress(text);
    if (!address.ok) return { ok: false, reason: `--grpc-address: ${address.reason}` };
    grpc.push(address.value);
  }
  const http = parseListenAddress(flags.httpAddress);
  if (!http.ok) return { ok: false, reason: `--http-address: ${http.reason}` };
  const plaintextXds = parsePlaintextXds(flags);
  if (!plaintextXds.ok) return plaintextXds;
  const page = parsePageFlags(flags);
  if (!page.ok) return page;
  const ttl = (parseDuration(flags.certificateTtl) ?? 0) / 1000;
  if (ttl < 1 || ttl > MAX_TTL_SECONDS)
    return { ok: false, reason: `--certificate-ttl: ${flags.certificateTtl} is not between 1s and 168h` };
  const refresh = parseDuration(flags.requestJwksRefresh) ?? 0;
  if (refresh < SHORTEST_REFRESH_MS || refresh > LONGEST_REFRESH_MS)
    return { ok: false, reason: `--request-jwks-refresh: ${flags.requestJwksRefresh} is not between 1s and 24h` };
  const audit = parseAuditFlags(flags);
  if (!audit.ok) return audit;
  const alerts = flags.alerts === undefined ? undefined : readAlerts(flags.alerts);
  if (alerts?.ok === false) return { ok: false, reason: `--alerts:\n${alerts.faults.join('\n')}` };
  const metricSeries = /^\d{1,7}$/.test(flags.metricSeries) ? Number(flags.metricSeries) : -1;
  if (metricSeries < 0 || metricSeries > MAX_SERIES)
    return { ok: false, reason: `--metric-series: ${flags.metricSeries} is not between 0 and ${MAX_SERIES}` };
  const metricStale = parseDuration(flags.metricStale) ?? 0;
  if (metricStale < MIN_STALE_MS) return { ok: false, reason: `--metric-stale: ${flags.metricStale} is not 1m or more` };
  const scopeWindow = parseDuration(flags.scopeWindow) ?? 0;
  if (scopeWindow < MIN_RETENTION_MS)
    return { ok: false, reason: `--scope-window: ${flags.scopeWindow} is not 1h or more (write hours, such as 168h for a week)` };
  const cluster = parseClusterFlags(flags);
  if (!cluster.ok) return cluster;
  const webhooks = parseWebhookFlags(flags);
  if (!webhooks.ok) return webhooks;
  const upstream = parseUpstreamFlags(flags);
  if (!upstream.ok) return upstream;
  const callers = parseCallerFlags(flags);
  if (!callers.ok) return callers;
  const caKey = parseCaKeyFlags(flags);
  if (!caKey.ok) return caKey;
  const federation = parseFederationFlags(flags);
  if (!federation.ok) return federation;
  return {
    ok: true,
    value: {
      caKey: caKey.value,
      federation: federation.value,
      paths: [...(flags.filename ?? []), ...(flags.generated ?? [])].map((path) => resolve(path)),
      ownPaths: (flags.filename ?? []).map((path) => resolve(path)),
      cluster: cluster.value,
      webhooks: webhooks.value,
      meshConfigFile: flags.meshConfig,
      caDir: resolve(flags.caDir),
      callers: callers.value,
      grpc,
      http: http.value,
      plaintextXds: plaintextXds.value,
      page: page.value,
      allowCaptures: flags.allowCaptures === true,
      ...audit.value,
      alerts: alerts?.value,
      metricSeries,
      metricStaleMs: metricStale,
      certificateTtlSeconds: ttl,
      requestJwksRefreshMs: refresh,
      automaticScope: flags.automaticScope === true,
      scopeWindowMs: scopeWindow,
      upstream: upstream.value,
      advertise: flags.advertise ?? [],
    },
  };
}

/** Whoever reaches this address may name any pod, so it is for this machine alone unless a second flag says otherwise. */
function parsePlaintextXds({ plaintextXds, plaintextXdsAnywhere }: ServeFlags): Parsed<ListenAddress | undefined> {
  if (plaintextXds === undefined)
    return plaintextXdsAnywhere === true
      ? { ok: false, reason: '--plaintext-xds-anywhere needs --plaintext-xds HOST:PORT' }
      : { ok: true, value: undefined };
  const address = parseListenAddress(plaintextXds);
  if (!address.ok) return { ok: false, reason: `--plaintext-xds: ${address.reason}` };
  if (plaintextXdsAnywhere === true || isLoopback(address.value)) return address;
  return {
    ok: false,
    reason:
      `--plaintext-xds: ${plaintextXds} can be reached from other machines, and every caller may read the configuration of every pod ` +
      '(listen on 127.0.0.1 or [::1], or say that this is wanted with --plaintext-xds-anywhere)',
  };
}
