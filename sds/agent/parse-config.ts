import { dirname } from 'node:path';
import { parseDnsName } from '../../ca/dns/dns-name.ts';
import { parsed } from '../../ca/identity/parsed.ts';
import { parseWorkloadSpiffeId } from '../../ca/identity/spiffe-id.ts';
import { parseTrustDomain, type TrustDomain } from '../../ca/identity/trust-domain.ts';
import type { GivenCommand } from '../envoy/command.ts';
import type { FilesConfig } from '../files/keep-files.ts';
import { LONGEST_SOCKET_PATH, type Owner } from '../server/socket.ts';
import type { AgentConfig, EnvoyConfig, HostPort, WorkloadConfig } from './config.ts';
import type { ConfigDiagnostic } from './diagnostic.ts';
import { workloadPaths } from './run-directory.ts';
import * as scalars from './scalars.ts';
import { ConfigText, type Section } from './section.ts';

export type ConfigResult =
  { readonly ok: true; readonly config: AgentConfig } | { readonly ok: false; readonly diagnostics: readonly ConfigDiagnostic[] };

const TOP = [
  'controlPlane',
  'trustDomain',
  'federatedBundles',
  'secretsDir',
  'domain',
  'runDir',
  'envoy',
  'certificateTtl',
  'drainTime',
  'takeoverTime',
  'accessLogQueue',
  'xds',
  'metricsAddress',
  'workloads',
];
const CONTROL_PLANE = ['address', 'serverName', 'rootCert'];
const WORKLOAD =
  'namespace serviceAccount workload pod ip kind tokenFile labels locality controlPlaneAddress adminPort dnsNames secretFiles workloadApi files envoy'.split(
    ' ',
  );
const ENVOY = ['netns', 'uid', 'gid', 'concurrency', 'environment', 'extraArgs'];
const FILES = ['dir', 'uid', 'gid', 'reload'];
const OWNER = ['uid', 'gid'];
const LOCALITY = ['region', 'zone', 'subzone'];

const LARGEST_ID = 2 ** 32 - 2;
const DEFAULT_TTL_SECONDS = 24 * 3600;
const DEFAULT_DRAIN_MS = 5000;
const DEFAULT_TAKEOVER_MS = 15_000;

/** What the fields of the whole file give to each workload. */
interface Shared {
  readonly authority: HostPort & { readonly serverName: string };
  readonly trustDomain: TrustDomain;
  readonly domain: string;
  readonly runDir: string;
  readonly binary: string;
  readonly ttlSeconds: number;
  readonly drainMs: number;
  readonly xds: 'delta' | 'sotw';
  readonly given: GivenCommand | undefined;
  readonly path: (text: string) => ReturnType<ReturnType<typeof scalars.pathIn>>;
}

/**
 * Parses the agent's configuration: YAML, of which JSON is a part. All or nothing: with one mistake anywhere the file is
 * refused, so that a slip of the pen never stops a running workload.
 * @param file its path; relative paths in it are relative to its folder
 * @param defaultEnvoy the Envoy binary where the file names none
 * @param given the command to run as the Envoy of the one workload
 */
export function parseConfig(text: string, file: string, defaultEnvoy = 'envoy', given?: GivenCommand): ConfigResult {
  const source = new ConfigText(file);
  const top = source.parse(text, TOP);
  const config = top === undefined ? undefined : readTop(top, dirname(file), { defaultEnvoy, given });
  const { diagnostics } = source;
  return config === undefined || diagnostics.length > 0 ? { ok: false, diagnostics } : { ok: true, config };
}

interface Envoys {
  readonly defaultEnvoy: string;
  readonly given: GivenCommand | undefined;
}

function readTop(top: Section, folder: string, { defaultEnvoy, given }: Envoys): AgentConfig | undefined {
  const path = scalars.pathIn(folder);
  const controlPlane = top.section('controlPlane', CONTROL_PLANE);
  if (controlPlane === undefined && !top.has('controlPlane')) top.fail('', 'controlPlane is missing');
  const address = controlPlane?.parsed('address', scalars.parseHostPort);
  const serverName = controlPlane?.parsed('serverName', scalars.parseHostname, 'gatehouse');
  const rootCert = controlPlane?.parsed('rootCert', path);
  const trustDomain = top.has('trustDomain')
    ? top.parsed('trustDomain', parseTrustDomain)
    : valueOf(parseTrustDomain('cluster.local'));
  const runDir = top.parsed('runDir', path);
  // A bare word is a command on the PATH; anything with a slash is a file.
  const binary = top.parsed('envoy', (text) => (text.includes('/') ? path(text) : parsed(text)), defaultEnvoy);
  const ttlSeconds = top.parsed('certificateTtl', scalars.parseTtl, DEFAULT_TTL_SECONDS);
  const drainMs = top.parsed('drainTime', scalars.parseDuration, DEFAULT_DRAIN_MS);
  const takeoverMs = top.parsed('takeoverTime', scalars.parseDuration, DEFAULT_TAKEOVER_MS);
  const domain = top.parsed('domain', scalars.parseHostname, 'cluster.local');
  const xds = top.parsed<'delta' | 'sotw'>('xds', scalars.oneOf(['delta', 'sotw']), 'delta');
  const metrics = top.optional('metricsAddress', scalars.parseBindAddress);
  const accessLogBytes = top.optional('accessLogQueue', scalars.parseSize);
  const federatedBundles = readFederation(top, path);
  const secretsDirs = top.textOrTexts('secretsDir').flatMap((text) => {
    const folder = path(text);
    return folder.ok ? [folder.value] : (top.fail('secretsDir', folder.reason) ?? []);
  });
  const sections = top.sections('workloads', WORKLOAD);
  if (address === undefined || serverName === undefined || rootCert === undefined || trustDomain === undefined) return undefined;
  if (runDir === undefined || binary === undefined || ttlSeconds === undefined) return undefined;
  if (drainMs === undefined || takeoverMs === undefined || domain === undefined || xds === undefined) return undefined;
  const authority = { ...address, serverName };
  const shared: Shared = { authority, trustDomain, domain, runDir, binary, ttlSeconds, drainMs, xds, given, path };
  if (given !== undefined && sections.length !== 1)
    top.fail('workloads', 'there must be one workload where its Envoy is given as a command', 'leave out `-- envoy` for several');
  const seen = new Set<string>();
  const folders = new Set<string>();
  const workloads = sections.flatMap((section) => {
    const workload = readWorkload(section, shared);
    if (workload === undefined) return [];
    if (seen.has(workload.name)) section.fail('pod', `${workload.name} is there twice`);
    seen.add(workload.name);
    if (workload.files !== undefined && folders.has(workload.files.dir))
      section.fail('files', `${workload.files.dir} is another workload's folder`);
    folders.add(workload.files?.dir ?? '');
    return [workload];
  });
  if (federatedBundles.has(trustDomain)) top.fail('federatedBundles', `${trustDomain} is the own trust domain`);
  const controlPlaneConfig = { address, serverName, rootCert };
  return {
    controlPlane: controlPlaneConfig,
    trustDomain,
    federatedBundles,
    secretsDirs,
    runDir,
    takeoverMs,
    accessLogBytes,
    metrics,
    workloads,
  };
}

/** The bundle file of each other trust domain. */
function readFederation(top: Section, path: Shared['path']): ReadonlyMap<TrustDomain, string> {
  const files = new Map<TrustDomain, string>();
  for (const [name, text] of Object.entries(top.record('federatedBundles'))) {
    const [domain, file] = [parseTrustDomain(name), path(text)];
    if (!domain.ok) top.fail('federatedBundles', `${name}: ${domain.reason}`);
    else if (!file.ok) top.fail('federatedBundles', `${name}: ${file.reason}`);
    else files.set(domain.value, file.value);
  }
  return files;
}

function valueOf<T>(result: { ok: true; value: T } | { ok: false; reason: string }): T | undefined {
  return result.ok ? result.value : undefined;
}

function readWorkload(section: Section, shared: Shared): WorkloadConfig | undefined {
  const namespace = section.parsed('namespace', scalars.parseLabel);
  const pod = section.parsed('pod', scalars.parseSubdomain);
  const serviceAccount = section.parsed('serviceAccount', scalars.parseSubdomain, 'default');
  const workload = section.parsed('workload', scalars.parseSubdomain, pod ?? '');
  const ip = section.parsed('ip', scalars.parseIp);
  const kind = section.parsed<'sidecar' | 'router'>('kind', scalars.oneOf(['sidecar', 'router']), 'sidecar');
  const tokenFile = section.parsed('tokenFile', shared.path);
  const labels = section.record('labels');
  const controlPlane = section.parsed('controlPlaneAddress', scalars.parseHostPort, shared.authority);
  const adminPort = section.integer('adminPort', 1, 65_535);
  const place = section.section('locality', LOCALITY);
  const locality = place && {
    region: place.optional('region', parsed),
    zone: place.optional('zone', parsed),
    subzone: place.optional('subzone', parsed),
  };
  const dnsNames = section.texts('dnsNames').flatMap((text) => {
    const name = parseDnsName(text);
    return name.ok ? [name.value] : (section.fail('dnsNames', `${text} is ${name.reason}`) ?? []);
  });
  const secretFiles = section.texts('secretFiles').flatMap((text) => {
    const folder = shared.path(text);
    return folder.ok ? [folder.value] : (section.fail('secretFiles', folder.reason) ?? []);
  });
  const workloadApi = section.has('workloadApi') ? readApiUser(section) : undefined;
  const files = section.has('files') ? readFiles(section, shared) : undefined;
  const none = section.isFalse('envoy');
  if (none && shared.given !== undefined) section.fail('envoy', 'is false, but its command is given', 'leave out one of both');
  const envoy = none ? undefined : readEnvoy(section, shared);
  if (namespace === undefined || pod === undefined || serviceAccount === undefined || workload === undefined) return undefined;
  if (ip === undefined || kind === undefined || tokenFile === undefined || controlPlane === undefined) return undefined;
  const id = parseWorkloadSpiffeId(shared.trustDomain, namespace, serviceAccount);
  if (!id.ok) return section.fail('serviceAccount', id.reason);
  const { adminSocket, apiSocket } = workloadPaths(shared.runDir, namespace, pod);
  if (Buffer.byteLength(workloadApi === undefined ? adminSocket : apiSocket) > LONGEST_SOCKET_PATH)
    return section.fail(
      'pod',
      `${adminSocket} is too long for a Unix socket`,
      `${LONGEST_SOCKET_PATH} bytes at most: choose a shorter runDir`,
    );
  return {
    name: `${namespace}/${pod}`,
    id: id.value,
    dnsNames,
    node: { kind, ip, namespace, serviceAccount, workload, pod, labels, domain: shared.domain, locality },
    tokenFile,
    ttlSeconds: shared.ttlSeconds,
    runDir: shared.runDir,
    authority: shared.authority,
    controlPlane: { ...controlPlane, serverName: shared.authority.serverName },
    xds: shared.xds,
    adminPort,
    secretFiles,
    workloadApi,
    files,
    envoy,
  };
}

function readApiUser(section: Section): Owner | undefined {
  const part = section.section('workloadApi', OWNER);
  const owner = readOwner(part);
  return owner ?? section.fail('workloadApi', 'needs uid', 'the user that the application runs as');
}

function readFiles(section: Section, shared: Shared): FilesConfig | undefined {
  const part = section.section('files', FILES);
  const dir = part?.parsed('dir', shared.path);
  return dir === undefined || part === undefined ? undefined : { dir, owner: readOwner(part), reload: part.texts('reload') };
}

/** The user and group given by `uid` and `gid`; the group is the user's where it is not named. */
function readOwner(part: Section | undefined): Owner | undefined {
  const uid = part?.integer('uid', 0, LARGEST_ID);
  const gid = part?.integer('gid', 0, LARGEST_ID);
  if (gid !== undefined && uid === undefined) part?.fail('gid', 'is given without uid');
  return uid === undefined ? undefined : { uid, gid: gid ?? uid };
}

/** Names as the shell has them: `env` reads anything else as the command that it is to run. */
function variables(part: Section | undefined): Pick<EnvoyConfig, 'environment'> {
  const found = part?.record('environment') ?? {};
  for (const name of Object.keys(found))
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) part?.fail('environment', `${name} is no name of a variable`);
  return Object.keys(found).length === 0 ? {} : { environment: found };
}

function readEnvoy(section: Section, shared: Shared): EnvoyConfig {
  const part = section.section('envoy', ENVOY);
  return {
    binary: shared.binary,
    netns: part?.optional('netns', scalars.parseNetns),
    owner: readOwner(part),
    concurrency: part?.integer('concurrency', 0, 1024) ?? 1,
    ...variables(part),
    extraArgs: part?.texts('extraArgs') ?? [],
    given: shared.given,
    drainMs: shared.drainMs,
  };
}
