import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { Field } from '../../../mesh/admit/field.ts';
import { readMeshConfig } from '../../../mesh/admit/mesh-config.ts';
import { nodeOf } from '../../../mesh/admit/node.ts';
import { Report } from '../../../mesh/admit/report.ts';
import type { MeshConfig } from '../../../mesh/model/mesh-config.ts';
import { TestAuthority } from '../../audit/envoy/certificates.ts';
import type { Envoy } from '../../audit/envoy/process.ts';
import { compiledFor, snapshotOf } from '../compiled.ts';
import { startStaticProxy } from '../envoy/static-proxy.ts';
import { startUpstream } from '../envoy/upstream.ts';
import { explicitPod } from '../workloads.ts';

export const CLIENT_APP = '127.22.78.1';
const SERVER_APP = '127.22.78.2';

/** MeshConfig of YAML text; errors fail the test. */
export function meshConfigOf(yaml: string): MeshConfig {
  const report = new Report('mesh.yaml', 'MeshConfig');
  const config = readMeshConfig(new Field(nodeOf(parse(yaml), 1), '', 1, report));
  assert.deepEqual(
    report.diagnostics.map(({ message }) => message),
    [],
  );
  return config;
}

export const pod = (name: string, address: string, application: string): string =>
  explicitPod(name, 'default', address, application, { account: name });

/** A client and a server, and the collectors `zipkin` and `otel` outside of the mesh, on ports of this machine. */
export function world(port: number, collectors: Readonly<Record<string, number>>): string {
  const entries = Object.entries(collectors).map(
    ([name, at]) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: observability}
spec:
  hosts: [${name}.test]
  location: MESH_EXTERNAL
  resolution: STATIC
  exportTo: ["."]
  ports: [{number: ${at}, name: ${name === 'otel-grpc' ? 'grpc' : 'http'}, protocol: ${name === 'otel-grpc' ? 'GRPC' : 'HTTP'}}]
  endpoints: [{address: 127.0.0.1}]
---`,
  );
  return `
apiVersion: v1
kind: Service
metadata: {name: server, namespace: default}
spec: {selector: {app: server}, ports: [{name: http, port: ${port}}]}
---${entries.join('')}${pod('client', '127.21.78.1', CLIENT_APP)}${pod('server', '127.21.78.2', SERVER_APP)}
`;
}

export interface Running {
  close(): Promise<void>;
}

/** The server's application and both proxies, under a mesh configuration and Telemetry objects. */
export async function startTelemetryMesh(envoy: string, port: number, yaml: string, meshConfig: MeshConfig): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  const authority = await TestAuthority.create();
  const snapshot = snapshotOf(yaml, meshConfig);
  const upstream = await startUpstream('server', SERVER_APP, port);
  const running: Envoy[] = [];
  const close = async () => {
    await Promise.all(running.map((proxy) => proxy.stop()));
    await upstream.close();
    rmSync(folder, { recursive: true });
  };
  try {
    for (const name of ['server', 'client']) {
      const own = join(folder, name);
      mkdirSync(own);
      const compiled = compiledFor(snapshot, `default/${name}`);
      const node = { id: name, cluster: `${name}.default` };
      running.push(await startStaticProxy({ envoy, compiled, folder: own, account: `default/${name}`, authority, node }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}
