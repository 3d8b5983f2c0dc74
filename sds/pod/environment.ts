import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';

/** What the container of an injected proxy is told by variables; the names are Istio's. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface PodOptions {
  readonly kind: 'sidecar' | 'router';
  readonly domain: string;
  readonly proxyLogLevel: string;
  readonly proxyComponentLogLevel: string;
  /** Threads; undefined: as the ProxyConfig or the container's limit says. */
  readonly concurrency?: number | undefined;
}

/** What the volumes of the pod tell. */
export interface PodFiles {
  /** The downward API's list of labels; undefined: there is none. */
  readonly labels: string | undefined;
  /** A bootstrap of the pod's own, to be merged over the agent's. */
  readonly bootstrapOverride: string | undefined;
}

/** Where injection puts the volumes. */
export const POD_PATHS = Object.freeze({
  token: '/var/run/secrets/tokens/istio-token',
  rootCert: '/var/run/secrets/istio/root-cert.pem',
  // A folder of the agent's own: the volume itself belongs to root.
  runDir: '/etc/istio/proxy/agent',
  labels: '/etc/istio/pod/labels',
});

/** The agent's configuration for the one workload of a pod, as its file would have it. */
export function podConfig(environment: Environment, options: PodOptions, files: PodFiles, paths = POD_PATHS): Parsed<object> {
  const missing = ['POD_NAME', 'POD_NAMESPACE', 'INSTANCE_IP', 'CA_ADDR'].filter((name) => (environment[name] ?? '') === '');
  if (missing.length > 0)
    return refused(`the environment has no ${missing.join(', ')}: this is for pods that were injected (else: --config FILE)`);
  const proxyConfig = parseObject(environment['PROXY_CONFIG']);
  if (proxyConfig === undefined) return refused('PROXY_CONFIG is no JSON object');
  const { CA_ADDR: address = '', INSTANCE_IP: ips = '' } = environment;
  const drain = proxyConfig['terminationDrainDuration'];
  const override = files.bootstrapOverride;
  return parsed({
    controlPlane: { address, serverName: hostOf(address), rootCert: paths.rootCert },
    trustDomain: environment['TRUST_DOMAIN'] || 'cluster.local',
    domain: options.domain,
    runDir: paths.runDir,
    drainTime: typeof drain === 'string' ? drain : '5s',
    workloads: [
      {
        namespace: environment['POD_NAMESPACE'],
        serviceAccount: environment['SERVICE_ACCOUNT'] || 'default',
        pod: environment['POD_NAME'],
        workload: environment['ISTIO_META_WORKLOAD_NAME'] || environment['POD_NAME'],
        ip: ips.split(',')[0],
        kind: options.kind,
        tokenFile: paths.token,
        labels: parseLabels(files.labels ?? ''),
        envoy: {
          concurrency: threads(environment, options, proxyConfig['concurrency']),
          extraArgs: [
            ...['--log-level', options.proxyLogLevel],
            ...(options.proxyComponentLogLevel === '' ? [] : ['--component-log-level', options.proxyComponentLogLevel]),
            ...(override === undefined ? [] : ['--config-yaml', override]),
          ],
        },
      },
    ],
  });
}

/** The flag, else the ProxyConfig, else as many as the container may use; `0`: one for each core. */
function threads(environment: Environment, { concurrency }: PodOptions, ofConfig: unknown): number {
  if (concurrency !== undefined) return concurrency;
  if (typeof ofConfig === 'number') return ofConfig;
  const limit = Number(environment['ISTIO_CPU_LIMIT'] ?? '');
  return Number.isInteger(limit) && limit > 0 && limit <= 1024 ? limit : 0;
}

function hostOf(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

function parseObject(text = '{}'): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text.trim() === '' ? '{}' : text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** Lines `key="value"`, the value quoted as Go quotes texts. What cannot be read is left out: labels are informational here. */
export function parseLabels(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const [, key, value] = /^([^=]+)=(".*")$/.exec(line.trim()) ?? [];
      if (key === undefined || value === undefined) return [];
      try {
        const label: unknown = JSON.parse(value);
        return typeof label === 'string' ? [[key, label]] : [];
      } catch {
        return [];
      }
    }),
  );
}
