import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import type { MeshConfig } from '../../../mesh/model/mesh-config.ts';
import { TestAuthority } from '../../audit/envoy/certificates.ts';
import type { Envoy } from '../../audit/envoy/process.ts';
import { compiledFor, snapshotOf } from '../compiled.ts';
import { explicitPod } from '../workloads.ts';
import { listening } from './listening.ts';
import { startStaticProxy } from './static-proxy.ts';
import { freePort, startUpstream } from './upstream.ts';

/** Where the client's HTTP proxy is, and where the server's proxy takes traffic. */
export const CLIENT_APP = '127.22.77.1';
export const SERVER_POD = '127.21.77.2';
const CLIENT_POD = '127.21.77.1';
const SERVER_APP = '127.22.77.2';
const IMPOSTOR_POD = '127.21.77.3';
const IMPOSTOR_APP = '127.22.77.3';

const PORTS = ['http', 'strict', 'undeclared', 'tcp', 'tls', 'grpc'] as const;
export type Ports = Readonly<Record<(typeof PORTS)[number], number>>;

export interface SidecarMesh {
  readonly ports: Ports;
  readonly authority: TestAuthority;
  close(): Promise<void>;
}

function pod(name: string, address: string, appAddress: string, ports: readonly (readonly [string, number])[]): string {
  const listed = ports.map(([portName, port]) => `{name: ${portName}, containerPort: ${port}}`).join(', ');
  return explicitPod(name, 'default', address, appAddress, { account: name, ports: listed });
}

function mesh(ports: Ports): string {
  return `
apiVersion: v1
kind: Service
metadata: {name: server, namespace: default}
spec:
  selector: {app: server}
  ports:
  - {name: http, port: ${ports.http}}
  - {name: http-strict, port: ${ports.strict}}
  - {name: undeclared, port: ${ports.undeclared}}
  - {name: tcp, port: ${ports.tcp}}
  - {name: tls, port: ${ports.tls}}
  - {name: grpc, port: ${ports.grpc}}
---
apiVersion: v1
kind: Service
metadata: {name: impostor, namespace: default}
spec: {selector: {app: impostor}, ports: [{name: http, port: ${ports.http}}]}
---${pod('client', CLIENT_POD, CLIENT_APP, [])}${pod('server', SERVER_POD, SERVER_APP, [])}${pod('impostor', IMPOSTOR_POD, IMPOSTOR_APP, [])}
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: server, namespace: default}
spec:
  selector: {matchLabels: {app: server}}
  mtls: {mode: PERMISSIVE}
  portLevelMtls: {${ports.strict}: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-secrets, namespace: default}
spec:
  selector: {matchLabels: {app: server}}
  action: DENY
  rules: [{to: [{operation: {paths: [/secret], ports: ["${ports.http}"]}}]}]
`;
}

/** What the server's application offers; each port is taken on the application's address. */
async function applications(ports: Ports, authority: TestAuthority): Promise<readonly { close(): Promise<void> }[]> {
  const own = await authority.issue('https://application.test');
  const http = [ports.http, ports.strict, ports.undeclared].map((port) => startUpstream('server', SERVER_APP, port));
  const echo = createServer((socket) => socket.pipe(socket));
  const tls = createTlsServer({ cert: own.cert, key: own.key }, (socket) => socket.end('application'));
  const http2 = createHttp2Server();
  http2.on('stream', (stream, headers) => {
    stream.respond({ ':status': 200, 'x-forwarded-client-cert': headers['x-forwarded-client-cert'] ?? 'none' });
    stream.end('h2');
  });
  return Promise.all([
    ...http,
    startUpstream('impostor', IMPOSTOR_APP, ports.http),
    listening(echo, SERVER_APP, ports.tcp),
    listening(tls, SERVER_APP, ports.tls),
    listening(http2, SERVER_APP, ports.grpc),
  ]);
}

/** A client, a server, and a server that runs under another identity than its Pod says; each beside its Envoy. */
export async function startSidecarMesh(envoy: string, config: Partial<MeshConfig> = {}): Promise<SidecarMesh> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  const authority = await TestAuthority.create();
  const numbers: number[] = [];
  while (numbers.length < PORTS.length) {
    const port = await freePort();
    if (!numbers.includes(port)) numbers.push(port);
  }
  const [http = 0, strict = 0, undeclared = 0, tcp = 0, tls = 0, grpc = 0] = numbers;
  const ports: Ports = { http, strict, undeclared, tcp, tls, grpc };
  const snapshot = snapshotOf(mesh(ports), config);
  const running: Envoy[] = [];
  const beside = await applications(ports, authority);
  const close = async () => {
    await Promise.all(running.map((proxy) => proxy.stop()));
    await Promise.all(beside.map((one) => one.close()));
    rmSync(folder, { recursive: true });
  };
  try {
    for (const [name, account] of [
      ['server', 'server'],
      ['impostor', 'somebody-else'],
      ['client', 'client'],
    ] as const) {
      const own = join(folder, name);
      mkdirSync(own);
      const compiled = compiledFor(snapshot, `default/${name}`);
      const node = { id: name, cluster: name };
      running.push(await startStaticProxy({ envoy, compiled, folder: own, account: `default/${account}`, authority, node }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { ports, authority, close };
}
