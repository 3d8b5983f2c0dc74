import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Diagnostic } from '../../../mesh/model/diagnostic.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { type CompiledProxy, compileProxy } from '../../../routing/compile.ts';
import { inboundSecurity } from '../../../xds/resources/security.ts';
import type { TestAuthority } from '../../audit/envoy/certificates.ts';
import { proxyOf } from '../../routing/compiled.ts';
import { startStaticProxy } from '../../routing/envoy/static-proxy.ts';

export interface TargetPort {
  readonly name: string;
  /** HTTP, HTTP2, GRPC or TCP. */
  readonly protocol: string;
  readonly service: number;
  readonly workload: number;
}

/** The workload whose proxy decides. */
export interface Target {
  readonly kind: 'sidecar' | 'gateway';
  readonly namespace: string;
  readonly service: string;
  readonly serviceAccount?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly TargetPort[];
}

export interface TargetOptions {
  /** Files of the case's own configuration. */
  readonly paths: readonly string[];
  /** MeshConfig, as YAML has it. */
  readonly meshConfig: object;
  readonly target: Target;
  /** Where the target's proxy takes traffic, and where its application listens (see `startApplication`). */
  readonly address: string;
  readonly application: string;
  readonly authority: TestAuthority;
  /** A folder of the target's own; made if it is not there. */
  readonly folder: string;
  /** Further objects: other services that the configuration speaks of. */
  readonly objects?: readonly object[];
  /** As in a pod, behind iptables; by default the proxy binds the ports of its address itself. */
  readonly captured?: boolean;
  /** Changes the configuration before Envoy gets it: further listeners, say. */
  readonly amend?: (config: object, snapshot: Snapshot) => object;
}

export interface LoadedTarget {
  readonly snapshot: Snapshot;
  readonly diagnostics: readonly Diagnostic[];
  readonly compiled: CompiledProxy;
}

export interface RunningTarget extends LoadedTarget {
  /** Ports of the target's address on which its proxy listens. */
  readonly ports: ReadonlySet<number>;
  stop(): Promise<void>;
}

/** The Service and the Pod that a target is, in the mesh without capture, so that its proxy binds the ports that policies name. */
export function objectsOf(
  { kind, namespace, service, serviceAccount, labels, ports }: Target,
  address: string,
  app: string,
  captured = false,
): object[] {
  const gateway = kind === 'gateway';
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: service, namespace },
      spec: {
        selector: labels,
        ports: ports.map((port) => ({
          name: port.name,
          port: port.service,
          targetPort: port.workload,
          ...(port.protocol === 'TCP' ? {} : { appProtocol: port.protocol.toLowerCase() }),
        })),
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: service,
        namespace,
        labels: { ...labels, 'security.istio.io/tlsMode': 'istio' },
        annotations: captured
          ? {}
          : gateway
            ? { 'gatehouse.dev/bind-address': address }
            : { 'gatehouse.dev/capture': 'explicit', 'gatehouse.dev/app-address': app },
      },
      spec: {
        serviceAccountName: serviceAccount ?? 'default',
        containers: [{ name: 'app', ports: ports.map((port) => ({ containerPort: port.workload })) }],
      },
      status: { podIP: address, phase: 'Running' },
    },
  ];
}

/** What Gatehouse makes of a case for its target: the same reading and compiling as `gatehouse compile --static`. */
export function loadTarget(options: TargetOptions): LoadedTarget {
  const { paths, meshConfig, target, address, application, folder, objects = [], captured } = options;
  mkdirSync(folder, { recursive: true });
  const own = join(folder, 'target.yaml');
  const documents = [...objects, ...objectsOf(target, address, application, captured)];
  writeFileSync(own, documents.map((one) => stringify(one)).join('---\n'));
  const meshConfigFile = join(folder, 'mesh-config.yaml');
  writeFileSync(meshConfigFile, stringify(meshConfig));
  const { snapshot, diagnostics } = loadMesh({ paths: [...paths, own], meshConfigFile });
  const proxy = proxyOf(snapshot, `${target.kind === 'gateway' ? 'gateway:' : ''}${target.namespace}/${target.service}`);
  const compiled = compileProxy(snapshot, proxy, inboundSecurity(snapshot, proxy.workload));
  return { snapshot, diagnostics, compiled };
}

/** Starts the real Envoy as the target's proxy. */
export async function startTarget(envoy: string, options: TargetOptions): Promise<RunningTarget> {
  const { target, folder, authority, amend } = options;
  const loaded = loadTarget(options);
  const proxy = await startStaticProxy({
    envoy,
    compiled: loaded.compiled,
    folder,
    account: `${target.namespace}/${target.serviceAccount ?? 'default'}`,
    authority,
    node: { id: target.service, cluster: target.service },
    amend: (config) => amend?.(config, loaded.snapshot) ?? config,
  });
  const ports = loaded.compiled.listeners.flatMap(({ address }) => {
    const at = address?.address;
    return at?.case === 'socketAddress' && at.value.portSpecifier.case === 'portValue' ? [at.value.portSpecifier.value] : [];
  });
  return { ...loaded, ports: new Set(ports), stop: () => proxy.stop() };
}
