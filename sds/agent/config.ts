import type { DnsName } from '../../ca/dns/dns-name.ts';
import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';
import type { TrustDomain } from '../../ca/identity/trust-domain.ts';
import type { LocalityInput, NodeInput } from '../bootstrap/input.ts';
import type { GivenCommand } from '../envoy/command.ts';
import type { FilesConfig } from '../files/keep-files.ts';
import type { Owner } from '../server/socket.ts';

/** `host:port`, taken apart. IPv6 addresses stand in brackets in the text, without them here. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** As gRPC takes it. */
export function targetOf({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The agent's configuration file, checked. Paths are absolute, times in the unit that the name says. */
export interface AgentConfig {
  readonly controlPlane: {
    readonly address: HostPort;
    readonly serverName: string;
    readonly rootCert: string;
  };
  readonly trustDomain: TrustDomain;
  /** The files with the bundles of other trust domains. */
  readonly federatedBundles: ReadonlyMap<TrustDomain, string>;
  /** Files and folders of Kubernetes Secrets, for gateways. */
  readonly secretsDirs: readonly string[];
  readonly runDir: string;
  /** How long Envoys go on after the agent was killed, for another agent to take them over. */
  readonly takeoverMs: number;
  /** What one workload's access log may take up while the control plane is away; absent: the default. */
  readonly accessLogBytes?: number | undefined;
  /** Where metrics are served over HTTP; absent: nowhere. */
  readonly metrics?: HostPort | undefined;
  readonly workloads: readonly WorkloadConfig[];
}

/** Everything that one workload depends on. Two that are deeply equal are served by the same running workload. */
export interface WorkloadConfig {
  /** `NAMESPACE/POD`, unique in the file. */
  readonly name: string;
  readonly id: SpiffeId;
  /** DNS names asked for in its certificate. */
  readonly dnsNames: readonly DnsName[];
  readonly node: NodeInput & { readonly locality?: LocalityInput | undefined };
  readonly tokenFile: string;
  readonly ttlSeconds: number;
  readonly runDir: string;
  /** Where the agent asks for certificates. */
  readonly authority: HostPort & { readonly serverName: string };
  /** Where this workload's Envoy finds the control plane; another address than the agent's in a network namespace. */
  readonly controlPlane: HostPort & { readonly serverName: string };
  readonly xds: 'delta' | 'sotw';
  readonly adminPort?: number | undefined;
  /** Folders whose files it may have through SDS. */
  readonly secretFiles: readonly string[];
  /** The user who gets a socket of its own for the Workload API; absent: only the user of the SDS socket has it. */
  readonly workloadApi?: Owner | undefined;
  /**
   * A socket for SDS and the Workload API in a folder that is mounted into the workload's containers. Whoever reaches it is taken for the
   * workload. Absent: there is none.
   */
  readonly mountedSocket?: string | undefined;
  /** Absent: the certificate is in no file. */
  readonly files?: FilesConfig | undefined;
  /** Absent: no Envoy is started. */
  readonly envoy?: EnvoyConfig | undefined;
}

export interface EnvoyConfig {
  readonly binary: string;
  readonly netns?: string | undefined;
  readonly owner?: Owner | undefined;
  /** Threads; 0: one for each core. */
  readonly concurrency: number;
  /** Variables beside the agent's own; absent: none. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly extraArgs: readonly string[];
  /** The command that was given to the agent to run as this Envoy: its end is the agent's. */
  readonly given?: GivenCommand | undefined;
  /** How long requests under way may take to end when Envoy is stopped. */
  readonly drainMs: number;
}
