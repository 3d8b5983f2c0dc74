import type { ControlPlaneReady } from './control-plane.ts';
import { type Pod, podKey } from './pod.ts';

export interface ReadyInput {
  readonly gateway: string;
  readonly gatewayPorts: Readonly<Record<string, string>>;
  /** Of each Gateway of the Gateway API that was deployed, where its ports are. */
  readonly deployedGateways: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly controlPlane: ControlPlaneReady;
  /** Undefined: there is no page. */
  readonly pageUrl: string | undefined;
  readonly runDir: string;
  readonly auditDb: string;
  /** Commands that people may try. */
  readonly examples: readonly string[];
  readonly pods: readonly { readonly pod: Pod; readonly adminSocket: string }[];
}

/** What is printed, for programs, once the whole mesh serves. */
export function readyEvent(input: ReadyInput) {
  const { pid, grpc, http, page, rootCert } = input.controlPlane;
  return {
    event: 'ready',
    gateway: input.gateway,
    gatewayPorts: input.gatewayPorts,
    ...(Object.keys(input.deployedGateways).length === 0 ? {} : { deployedGateways: input.deployedGateways }),
    controlPlane: { grpc, http, pid, rootCert, ...(page === undefined ? {} : { page }) },
    runDir: input.runDir,
    auditDb: input.auditDb,
    workloads: input.pods.map(({ pod, adminSocket }) => ({
      workload: `${pod.namespace}/${pod.workload}`,
      pod: pod.name,
      ip: pod.ip,
      ...(pod.ip6 === undefined ? {} : { ip6: pod.ip6 }),
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
  const deployed = Object.entries(input.deployedGateways)
    .flatMap(([gateway, ports]) =>
      Object.entries(ports).map(([port, address]) => `\n  Gateway ${gateway} port ${port}: ${address}`),
    )
    .join('');
  const first = input.pods.find(({ pod }) => pod.kind !== 'plain')?.adminSocket ?? 'SOCKET';
  return `
The mesh is running. Gateway: http://${input.gateway}/${input.pageUrl === undefined ? '' : `  Page: ${input.pageUrl}`}
${rows.join('\n')}${deployed}
Try:
${input.examples.map((example) => `  ${example}\n`).join('')}  gatehouse audit report --db ${input.auditDb}
  curl http://${input.controlPlane.http}/debug/syncz
  curl --unix-socket ${first} http://envoy/config_dump
Change the YAML while it runs; it is in force in less than a second. Logs: ${input.runDir}/logs. Ctrl-C stops everything.
`;
}
