// A control plane, some real Envoys and the certificates of a hundred more proxies, in a folder of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { workloadSpiffeId } from '../../ca/identity/spiffe-id.ts';
import { parseTrustDomain } from '../../ca/identity/trust-domain.ts';
import { agentConfig } from '../../cli/up/agent-config.ts';
import { podObject } from '../../cli/up/pod-object.ts';
import type { Pod } from '../../cli/up/pod.ts';
import { createTokenIssuer, TOKEN_ISSUER } from '../../cli/up/tokens.ts';
import { parsePort } from '../../mesh/model/port.ts';
import { grpcSigner } from '../../sds/authority/client.ts';
import { newKey, requestFor } from '../../sds/identity/request.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const NAMESPACE = 'bench';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface World {
  readonly grpc: string;
  readonly rootsPem: string;
  readonly caDir: string;
  readonly proxies: readonly Pod[];
  readonly envoys: readonly Pod[];
  certificate(serviceAccount: string): Promise<Certificate>;
  /** Runs a command to its end and gives back the milliseconds it took. */
  command(...args: readonly string[]): Promise<number>;
  close(): Promise<void>;
}

function podOf(name: string, ip: string, appAddress: string): Pod {
  const port = parsePort(8080);
  if (port === undefined) throw new Error('8080 is a port');
  const labels = { app: name };
  const ports = [{ name: 'http', port }];
  return {
    namespace: NAMESPACE,
    name: `${name}-0`,
    workload: name,
    serviceAccount: name,
    labels,
    kind: 'sidecar',
    ip,
    appAddress,
    netns: undefined,
    ports,
    application: undefined,
  };
}

function service(pod: Pod): string {
  return `apiVersion: v1
kind: Service
metadata: {name: ${pod.workload}, namespace: ${NAMESPACE}}
spec: {selector: {app: ${pod.workload}}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: ${pod.serviceAccount}, namespace: ${NAMESPACE}}
`;
}

const STRICT = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
`;

export async function startWorld(proxyCount: number, envoyCount: number, envoy: string): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
  const mesh = join(dir, 'mesh');
  mkdirSync(mesh);
  mkdirSync(join(dir, 'tokens'));
  const names = (kind: string, count: number, block: number): readonly Pod[] =>
    Array.from({ length: count }, (_, index) =>
      podOf(`${kind}-${index}`, `127.8.${block}.${index + 1}`, `127.9.${block}.${index + 1}`),
    );
  const [proxies, envoys] = [names('proxy', proxyCount, 1), names('envoy', envoyCount, 2)];
  const pods = [...proxies, ...envoys];
  const documents = [STRICT, ...pods.flatMap((pod) => [service(pod), podObject(pod, 'explicit', true)])];
  writeFileSync(join(mesh, 'mesh.yaml'), documents.join('---\n'));
  const issuer = await createTokenIssuer(() => new Date());
  writeFileSync(join(dir, 'jwks.json'), issuer.jwks);

  const children: ChildProcess[] = [];
  const start = (name: string, ...args: readonly string[]): ChildProcess => {
    const log = openSync(join(dir, `${name}.log`), 'w');
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
      stdio: ['ignore', 'pipe', log],
    });
    children.push(child);
    return child;
  };
  const lines = (
    child: ChildProcess,
    wanted: (event: Readonly<Record<string, unknown>>) => boolean,
  ): Promise<Readonly<Record<string, unknown>>> =>
    new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`ended with ${String(code)}; see ${dir}`)));
      if (child.stdout !== null)
        createInterface({ input: child.stdout }).on('line', (line) => {
          const event: Readonly<Record<string, unknown>> = JSON.parse(line);
          if (wanted(event)) resolve(event);
        });
    });

  const caDir = join(dir, 'ca');
  const serve = start(
    'serve',
    ...['serve', '-f', mesh, '--ca-dir', caDir, '--jwks', join(dir, 'jwks.json'), '--token-issuer', TOKEN_ISSUER],
    ...['--grpc-address', '127.0.0.1:0', '--http-address', '127.0.0.1:0', '--audit-db', join(dir, 'audit.db')],
  );
  const ready = await lines(serve, (event) => event['ready'] === true);
  const [grpc, rootCert] = [String(ready['grpc']), String(ready['rootCert'])];

  const apps: Server[] = [];
  for (const pod of envoys) {
    const app = createServer((_, response) => response.end('ok'));
    app.listen(8080, pod.appAddress);
    await once(app, 'listening');
    apps.push(app);
    writeFileSync(join(dir, 'tokens', pod.name), await issuer.issue(pod), { mode: 0o600 });
  }
  const config = agentConfig(
    {
      controlPlane: { address: grpc, serverName: 'gatehouse', rootCert },
      addressFromNetns: undefined,
      trustDomain: 'cluster.local',
      domain: 'cluster.local',
      runDir: join(dir, 'agent'),
      envoy,
      certificateTtl: '1h',
      tokenFile: (pod) => join(dir, 'tokens', pod.name),
    },
    envoys,
  );
  writeFileSync(join(dir, 'agent.yaml'), config);
  const waiting = new Set(envoys.map((pod) => pod.name));
  if (envoys.length > 0)
    await lines(start('agent', 'agent', '--config', join(dir, 'agent.yaml')), (event) => {
      if (event['event'] === 'ready')
        for (const name of waiting) if (String(event['workload']).includes(name)) waiting.delete(name);
      return waiting.size === 0;
    });

  const { readFileSync } = await import('node:fs');
  const rootsPem = readFileSync(rootCert, 'utf8');
  const sign = grpcSigner({ target: grpc, serverName: 'gatehouse', timeoutMs: 20_000 });
  const trustDomain = parseTrustDomain('cluster.local');
  if (!trustDomain.ok) throw new Error(trustDomain.reason);
  return {
    grpc,
    rootsPem,
    caDir,
    proxies,
    envoys,
    async certificate(serviceAccount) {
      const { key, csr } = await requestFor(workloadSpiffeId(trustDomain.value, NAMESPACE, serviceAccount), await newKey());
      const token = await issuer.issue({ namespace: NAMESPACE, name: `${serviceAccount}-0`, serviceAccount });
      const answer = await sign({ csr, ttlSeconds: 3600, rootsPem, token }, AbortSignal.timeout(20_000));
      if (answer.kind !== 'signed') throw new Error(`${answer.code}: ${answer.reason}`);
      return { cert: answer.certChain.join(''), key: key.export({ type: 'pkcs8', format: 'pem' }).toString() };
    },
    async command(...args) {
      const began = performance.now();
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      const [code]: unknown[] = await once(child, 'exit');
      if (code !== 0) throw new Error(`gatehouse ${args.join(' ')} ended with ${String(code)}`);
      return performance.now() - began;
    },
    async close() {
      for (const child of children.reverse()) {
        if (child.exitCode !== null) continue;
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        await ended;
      }
      for (const app of apps) app.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
