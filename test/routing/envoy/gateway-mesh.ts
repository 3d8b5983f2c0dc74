import { mkdtempSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MeshConfig } from '../../../mesh/model/mesh-config.ts';
import type { Envoy } from '../../audit/envoy/process.ts';
import { compiledFor, snapshotOf } from '../compiled.ts';
import { type Answer, type Call, call } from './call.ts';
import { startStaticProxy } from './static-proxy.ts';
import { freePort, startUpstream, type Upstream } from './upstream.ts';

/** A gateway on 127.0.0.1 in front of two versions of the Service `app`, outside of the mesh. */
export interface GatewayMesh {
  readonly v1: Upstream;
  readonly v2: Upstream;
  get(host: string, path: string, how?: Call): Promise<Answer>;
  close(): Promise<void>;
}

function pod(version: string, address: string, port: number): string {
  return `
apiVersion: v1
kind: Pod
metadata: {name: app-${version}, namespace: default, labels: {app: app, version: ${version}}}
spec: {containers: [{name: app, ports: [{name: web, containerPort: ${port}}]}]}
status: {podIP: ${address}, phase: Running}
---`;
}

/** The mesh's gateway, on this machine. */
export const ingressGateway = (port: number): string => `
apiVersion: v1
kind: Service
metadata: {name: ingress, namespace: istio-system}
spec: {selector: {istio: ingressgateway}, ports: [{name: http2, port: 80, targetPort: ${port}}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: ingress
  namespace: istio-system
  labels: {istio: ingressgateway, security.istio.io/tlsMode: istio}
  annotations: {gatehouse.dev/bind-address: 127.0.0.1}
spec: {containers: [{name: proxy}]}
status: {podIP: 127.0.0.1, phase: Running}
---`;

function surroundings(port: number, gatewayPort: number): string {
  return `
apiVersion: v1
kind: Service
metadata: {name: app, namespace: default}
spec: {selector: {app: app}, ports: [{name: http, port: 8000, targetPort: ${port}}]}
---${pod('v1', '127.20.0.1', port)}${pod('v2', '127.20.0.2', port)}${ingressGateway(gatewayPort)}
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gateway, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
`;
}

/** @param rules or what they are, given the port at which both versions listen */
export async function startGatewayMesh(
  envoy: string,
  rules: string | ((port: number) => string),
  config: Partial<MeshConfig> = {},
): Promise<GatewayMesh> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  const [port, gatewayPort] = [await freePort(), await freePort()];
  const v1 = await startUpstream('v1', '127.20.0.1', port);
  const v2 = await startUpstream('v2', '127.20.0.2', port);
  const written = typeof rules === 'string' ? rules : rules(port);
  const agent = new Agent({ keepAlive: true });
  let proxy: Envoy | undefined;
  const close = async () => {
    agent.destroy();
    await proxy?.stop();
    await Promise.all([v1.close(), v2.close()]);
    rmSync(folder, { recursive: true });
  };
  try {
    const compiled = compiledFor(snapshotOf(surroundings(port, gatewayPort) + written, config), 'gateway:istio-system/ingress');
    proxy = await startStaticProxy({ envoy, compiled, folder, account: 'istio-system/default' });
  } catch (error) {
    await close();
    throw error;
  }
  return { v1, v2, get: (host, path, how) => call(agent, '127.0.0.1', gatewayPort, host, path, how), close };
}
