import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Issued } from '../../audit/envoy/certificates.ts';
import type { Envoy } from '../../audit/envoy/process.ts';
import { compiledFor, snapshotOf } from '../compiled.ts';
import { startStaticProxy } from './static-proxy.ts';

/** One document of gateway.networking.k8s.io. */
export function document(kind: string, namespace: string, name: string, spec: string, version = 'v1'): string {
  return `
---
apiVersion: gateway.networking.k8s.io/${version}
kind: ${kind}
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${spec}
`;
}

/** A Service and the one Pod behind it. */
export function backend(namespace: string, name: string, address: string, port: number, portName = 'http'): string {
  return `
---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}}
spec: {selector: {app: ${name}}, ports: [{name: ${portName}, port: 80, targetPort: ${port}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}-0, namespace: ${namespace}, labels: {app: ${name}}}
spec: {containers: [{name: app, ports: [{containerPort: ${port}}]}]}
status: {podIP: ${address}, phase: Running}
`;
}

export function configMap(namespace: string, name: string, certificates: string): string {
  return `
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}, namespace: ${namespace}}
data: {ca.crt: ${JSON.stringify(certificates)}}
`;
}

/** Where the Gateway listens: not where connections of other programs begin, which take ports too. */
export const EDGE = '127.26.79.1';

/** The pod of Gateway `edge` in namespace `edge`. */
const POD = `
---
apiVersion: v1
kind: Pod
metadata:
  name: edge
  namespace: edge
  labels: {gateway.networking.k8s.io/gateway-name: edge}
  annotations: {gatehouse.dev/bind-address: ${EDGE}}
spec: {containers: [{name: proxy}]}
status: {podIP: ${EDGE}, phase: Running}
`;

type Json = null | string | number | boolean | readonly Json[] | { readonly [key: string]: Json };

/** Certificates of Secrets, which an agent would serve, written into the configuration. */
export function withSecrets(config: object, secrets: ReadonlyMap<string, Issued>): object {
  return Object(replaced(JSON.parse(JSON.stringify(config)) as Json, secrets)) as object;
}

function replaced(value: Json, secrets: ReadonlyMap<string, Issued>): Json {
  if (Array.isArray(value)) return value.map((item: Json) => replaced(item, secrets));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, item]): [string, Json] => {
    const wanted = name === 'tlsCertificateSdsSecretConfigs' ? JSON.stringify(item) : '';
    const found = [...secrets].find(([secret]) => wanted.includes(`"kubernetes://${secret}"`))?.[1];
    return found === undefined
      ? [name, replaced(item, secrets)]
      : ['tlsCertificates', [{ certificateChain: { inlineString: found.cert }, privateKey: { inlineString: found.key } }]];
  });
  return Object.fromEntries(entries);
}

/** The Gateway of some objects of the Gateway API as a real Envoy. */
export async function startEdge(
  envoy: string,
  yaml: string,
  secrets: ReadonlyMap<string, Issued> = new Map(),
): Promise<{ close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  let proxy: Envoy | undefined;
  const close = async () => {
    await proxy?.stop();
    rmSync(folder, { recursive: true });
  };
  try {
    const compiled = compiledFor(snapshotOf(POD + yaml), 'gateway:edge/edge');
    const amend = (config: object) => withSecrets(config, secrets);
    proxy = await startStaticProxy({ envoy, compiled, folder, account: 'edge/default', amend });
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}
