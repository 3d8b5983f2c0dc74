import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, status } from '@grpc/grpc-js';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { divergences } from '../mesh/corpus/divergences.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { corpusCases, corpusFile } from './corpora.ts';
import { type Answer, call } from './envoy/call.ts';
import { ingressGateway } from './envoy/gateway-mesh.ts';
import { startStaticProxy } from './envoy/static-proxy.ts';
import { explicitPod } from './workloads.ts';
import { freePort, startUpstream, type Upstream } from './envoy/upstream.ts';

interface Expected {
  readonly status?: number;
  readonly upstreamPath?: string;
  readonly upstreamHost?: string;
  readonly location?: string;
  readonly grpcStatus?: string;
  readonly share?: Readonly<Record<string, number>>;
}

interface Case {
  readonly id: string;
  readonly config: string;
  readonly caller: string;
  readonly calls: readonly {
    readonly name: string;
    readonly method: string;
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly followRedirects?: boolean;
    readonly count: number;
    readonly expect: Expected;
  }[];
}

const CLIENT = '127.23.77.1';
const SERVERS = { b: '127.23.77.2', c: '127.23.77.3', d: '127.23.77.4' } as const;
const NAMESPACE = 'echo1';

/** One patch stands in an EnvoyFilter for what the mesh configuration says today: how many proxies are trusted. */
function withoutPatches(yaml: string): { readonly yaml: string; readonly config: Partial<MeshConfig> } {
  const documents = yaml.split(/^---$/m);
  const patches = documents.filter((document) => /^kind: EnvoyFilter$/m.test(document));
  const hops = /^\s*xff_num_trusted_hops: (\d+)$/m.exec(patches.join(''))?.[1];
  return {
    yaml: documents.filter((document) => !patches.includes(document)).join('---'),
    config: hops === undefined ? {} : { numTrustedProxies: Number(hops) },
  };
}

/** The name of the status that a client of grpc-js gets, as Go writes it. */
async function grpcCall(address: string, host: string, path: string): Promise<string> {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.default_authority': host });
  const bytes = (value: Buffer): Buffer => value;
  try {
    const code = await new Promise<status>((done) => {
      client.makeUnaryRequest(path, bytes, bytes, Buffer.alloc(0), (error) => {
        done(error === null ? status.OK : error.code);
      });
    });
    return status[code].toLowerCase();
  } finally {
    client.close();
  }
}

function surroundings(port: number, gatewayPort: number): string {
  const server = (name: string, address: string) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${NAMESPACE}}
spec: {selector: {app: ${name}}, ports: [{name: http, port: 80, targetPort: ${port}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: ${NAMESPACE}, labels: {app: ${name}}}
spec: {containers: [{name: app, ports: [{containerPort: ${port}}]}]}
status: {podIP: ${address}, phase: Running}
---`;
  return `${Object.entries(SERVERS)
    .map(([name, address]) => server(name, address))
    .join('')}${explicitPod('a', NAMESPACE, '127.23.77.9', CLIENT)}${ingressGateway(gatewayPort)}
`;
}

type Tokens = Readonly<Record<string, string | { readonly token: string }>>;

/** `@jwt:NAME` stands for a token of the corpus. */
function withTokens(headers: Readonly<Record<string, string>>, tokens: Tokens): Readonly<Record<string, string>> {
  const filled = (value: string) =>
    value.replaceAll(/@jwt:(\w+)/g, (_, name: string) => {
      const found = tokens[name];
      assert.ok(found !== undefined, `no token ${name}`);
      return typeof found === 'string' ? found : found.token;
    });
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, filled(value)]));
}

/** The corpus leaves the namespace of its objects to the caller. */
function inNamespace(yaml: string): string {
  return yaml.replaceAll(/^metadata:\n(?!(?: .*\n)*? {2}namespace:)/gm, `metadata:\n  namespace: ${NAMESPACE}\n`);
}

function check(name: string, host: string, answer: Answer, expect: Expected): void {
  if (expect.status !== undefined) assert.equal(answer.status, expect.status, name);
  if (expect.upstreamPath !== undefined) assert.equal(answer.path, expect.upstreamPath, name);
  if (expect.upstreamHost !== undefined) assert.equal(answer.seen.host, expect.upstreamHost, name);
  if (expect.location !== undefined) assert.equal(answer.headers.location, expect.location.replace('@host', host), name);
}

describe('corpus: traffic through the real Envoy', function () {
  this.timeout(60_000);
  const cases = corpusCases('routing-traffic') as readonly Case[];
  const tokens = JSON.parse(corpusFile('routing-traffic', 'jwt', 'tokens.json') ?? '{}') as Tokens;
  let envoy = '';
  let folder = '';
  let port = 0;
  let gatewayPort = 0;
  const servers: Upstream[] = [];

  before(async function () {
    if (cases.length === 0) this.skip();
    envoy = envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
    port = await freePort();
    gatewayPort = await freePort();
    for (const [name, address] of Object.entries(SERVERS)) servers.push(await startUpstream(name, address, port));
  });

  after(async () => {
    await Promise.all(servers.map((server) => server.close()));
    if (folder !== '') rmSync(folder, { recursive: true });
  });

  it('has cases', function () {
    if (cases.length === 0) this.skip();
  });

  for (const [index, one] of cases.entries()) {
    it(one.id, async () => {
      const { yaml, config: meshConfig } = withoutPatches(corpusFile('routing-traffic', one.config) ?? '');
      const gateway = one.caller.startsWith('ingress');
      if (divergences('routing-traffic').has(one.id))
        return assert.throws(() => snapshotOf(surroundings(port, gatewayPort) + inNamespace(yaml)), /error/);
      const snapshot = snapshotOf(surroundings(port, gatewayPort) + inNamespace(yaml), meshConfig);
      const own = join(folder, String(index));
      mkdirSync(own);
      const compiled = compiledFor(snapshot, gateway ? 'gateway:istio-system/ingress' : `${NAMESPACE}/a`);
      const proxy = await startStaticProxy({ envoy, compiled, folder: own, account: 'echo1/a' });
      try {
        for (const { name, method, path, headers = {}, followRedirects, count, expect } of one.calls) {
          const { host = 'b', ...others } = headers;
          if (expect.grpcStatus !== undefined) {
            assert.equal(await grpcCall(`${CLIENT}:15001`, host, path), expect.grpcStatus.toLowerCase(), name);
            continue;
          }
          const send = (to: string) =>
            call(undefined, gateway ? '127.0.0.1' : CLIENT, gateway ? gatewayPort : 15_001, host, to, {
              method,
              headers: withTokens(others, tokens),
            });
          const answers: Answer[] = [];
          for (let n = 0; n < count; n++) answers.push(await send(path));
          for (const first of answers) {
            const { location } = first.headers;
            const answer =
              followRedirects === true && location !== undefined
                ? await send(new URL(location).pathname + new URL(location).search)
                : first;
            check(name, host, answer, expect);
          }
          for (const [server, percent] of Object.entries(expect.share ?? {})) {
            const got = answers.filter((answer) => answer.server === server).length;
            // Five standard deviations: weights are drawn at random.
            const tolerance = 5 * Math.sqrt((count * percent * (100 - percent)) / 10_000);
            assert.ok(Math.abs(got - (count * percent) / 100) <= tolerance, `${server} answered ${got} of ${count}`);
          }
        }
      } finally {
        await proxy.stop();
      }
    });
  }
});
