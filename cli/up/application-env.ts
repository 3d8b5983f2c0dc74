import type { Labels } from '../../mesh/model/object.ts';
import type { EnvValue } from './container.ts';
import type { PodPort } from './pod.ts';

export interface AboutPod {
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly labels: Labels;
  readonly ip: string;
  readonly appAddress: string;
  readonly ports: readonly PodPort[];
}

function field(pod: AboutPod, path: string): string | undefined {
  const label = /^metadata\.labels\['(.+)'\]$/.exec(path)?.[1];
  if (label !== undefined) return pod.labels[label];
  switch (path) {
    case 'metadata.name':
      return pod.name;
    case 'metadata.namespace':
      return pod.namespace;
    case 'spec.serviceAccountName':
      return pod.serviceAccount;
    case 'status.podIP':
      return pod.ip;
    default:
      return undefined;
  }
}

/**
 * The environment of an application; later sources win: where to listen and who it is, the image table's, the
 * container's own. HOST, PORT and the proxy are not for the container to choose, so they come last.
 * @param proxied the sidecar is to be asked as HTTP proxy, as nothing captures traffic
 * @param workloadApi the Unix socket of the SPIFFE Workload API; absent: the pod has no identity
 * @param anywhere the application may listen on all addresses: it has a network namespace of its own
 */
export function applicationEnv(
  pod: AboutPod,
  image: Readonly<Record<string, string>>,
  container: ReadonlyMap<string, EnvValue> | undefined,
  how: { readonly proxied: boolean; readonly anywhere: boolean; readonly workloadApi: string | undefined },
): Readonly<Record<string, string>> {
  const env: Record<string, string> = { VERSION: pod.labels['version'] ?? 'v1', ...image };
  for (const [name, value] of container ?? []) {
    const content = 'value' in value ? value.value : field(pod, value.fieldPath);
    if (content !== undefined) env[name] = content;
  }
  const proxy = `http://${pod.appAddress}:15001`;
  return {
    ...env,
    POD_NAME: pod.name,
    POD_NAMESPACE: pod.namespace,
    POD_IP: pod.ip,
    SERVICE_ACCOUNT: pod.serviceAccount,
    HOST: how.anywhere ? '0.0.0.0' : pod.appAddress,
    PORT: String(pod.ports[0]?.port ?? 8080),
    ...(how.workloadApi === undefined ? {} : { SPIFFE_ENDPOINT_SOCKET: `unix://${how.workloadApi}` }),
    ...(how.proxied ? { HTTP_PROXY: proxy, http_proxy: proxy } : {}),
  };
}
