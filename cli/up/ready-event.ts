import type { ControlPlaneReady } from './control-plane.ts';
import { type Pod, podKey } from './pod.ts';

export interface ReadyInput {
  readonly gateway: string;
  readonly gatewayPorts: Readonly<Record<string, string>>;
  readonly controlPlane: ControlPlaneReady;
  readonly runDir: string;
  readonly auditDb: string;
  readonly pods: readonly { readonly pod: Pod; readonly adminSocket: string }[];
}

/** What is printed, for programs, once the whole mesh serves. */
export function readyEvent(input: ReadyInput) {
  const { pid, grpc, http, page, rootCert } = input.controlPlane;
  return {
    event: 'ready',
    gateway: input.gateway,
    gatewayPorts: input.gatewayPorts,
    controlPlane: { grpc, http, pid, rootCert, ...(page === undefined ? {} : { page }) },
    runDir: input.runDir,
    auditDb: input.auditDb,
    workloads: input.pods.map(({ pod, adminSocket }) => ({
      workload: `${pod.namespace}/${pod.workload}`,
      pod: pod.name,
      ip: pod.ip,
      appAddress: pod.appAddress,
      adminSocket: pod.kind === 'plain' ? '' : adminSocket,
      ...(pod.netns === undefined ? {} : { netns: pod.netns }),
    })),
  };
}

/** The same for people, with what to try next. */
export function readyText(input: ReadyInput): string {
  const rows = input.pods.map(
    ({ pod }) => `  ${podKey(pod).padEnd(44)} ${pod.ip.padEnd(15)} ${pod.ports.map(({ port }) => port).join(', ')}`,
  );
  const first = input.pods.find(({ pod }) => pod.kind !== 'plain')?.adminSocket ?? 'SOCKET';
  return `
The mesh is running. Gateway: http://${input.gateway}/
${rows.join('\n')}
Try:
  curl -i http://${input.gateway}/productpage                 # a request through the gateway (bookinfo)
  curl -i -H 'Host: NAME' http://${input.gateway}/            # where a Gateway names its hosts
  gatehouse audit report --db ${input.auditDb}      # who talked to whom
  curl http://${input.controlPlane.http}/debug/syncz               # what each proxy has
  curl --unix-socket ${first} http://envoy/config_dump
Change the YAML while it runs; it is in force in less than a second. Logs: ${input.runDir}/logs. Ctrl-C stops everything.
`;
}
