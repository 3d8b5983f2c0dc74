import { stringify } from 'yaml';
import { PROXY_ID } from '../../kubernetes/capture/options.ts';
import type { ProxyStart } from '../../mesh/model/proxy-settings.ts';
import { type Pod, podKey } from './pod.ts';

export interface AgentInput {
  readonly controlPlane: { readonly address: string; readonly serverName: string; readonly rootCert: string };
  /** Where proxies in network namespaces reach the control plane. */
  readonly addressFromNetns: string | undefined;
  readonly trustDomain: string;
  readonly domain: string;
  readonly runDir: string;
  readonly envoy: string;
  readonly certificateTtl: string;
  readonly tokenFile: (pod: Pod) => string;
  /** Files and folders whose Secrets gateways may show, and what grants them. */
  readonly secretsDirs?: readonly string[];
  /** What ProxyConfig objects say of the pod's proxy. */
  readonly startOf?: (pod: Pod) => ProxyStart;
}

/** The user and group that applications have there. */
export const APPLICATION_USER = 1000;

/** One thread unless more are asked for: the whole mesh shares this machine. */
function startFields({ concurrency = 1, environment = {} }: Partial<ProxyStart> = {}) {
  return { concurrency, ...(Object.keys(environment).length === 0 ? {} : { environment: { ...environment } }) };
}

/** The configuration of `gatehouse agent` for all pods that have a proxy: YAML. */
export function agentConfig(input: AgentInput, pods: Iterable<Pod>): string {
  const proxied = [...pods].filter((pod) => pod.kind !== 'plain').sort((a, b) => (podKey(a) < podKey(b) ? -1 : 1));
  return stringify({
    controlPlane: input.controlPlane,
    trustDomain: input.trustDomain,
    domain: input.domain,
    runDir: input.runDir,
    envoy: input.envoy,
    certificateTtl: input.certificateTtl,
    drainTime: '1s',
    ...(input.secretsDirs === undefined ? {} : { secretsDir: [...input.secretsDirs] }),
    workloads: proxied.map((pod) => ({
      namespace: pod.namespace,
      serviceAccount: pod.serviceAccount,
      workload: pod.workload,
      pod: pod.name,
      ip: pod.ip,
      kind: pod.kind,
      tokenFile: input.tokenFile(pod),
      labels: { ...pod.labels },
      ...(pod.netns === undefined || input.addressFromNetns === undefined ? {} : { controlPlaneAddress: input.addressFromNetns }),
      ...(pod.netns === undefined ? {} : { workloadApi: { uid: APPLICATION_USER, gid: APPLICATION_USER } }),
      envoy: {
        ...startFields(input.startOf?.(pod)),
        ...(pod.netns === undefined ? {} : { netns: pod.netns, uid: PROXY_ID, gid: PROXY_ID }),
      },
    })),
  });
}
