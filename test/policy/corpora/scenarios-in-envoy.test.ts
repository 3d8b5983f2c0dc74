import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Issued, TestAuthority } from '../../audit/envoy/certificates.ts';
import { envoyOrSkip, envoyPath } from '../../audit/envoy/process.ts';
import { startApplication } from '../envoy/application.ts';
import { DENIED_BY_AUTHORIZER, startGrpcAuthorizer, startHttpAuthorizer } from '../ext-authz/servers.ts';
import { type Outcome, send } from '../envoy/caller.ts';
import { type RunningTarget, startTarget, type Target } from '../envoy/target.ts';
import { corpusPath } from './corpus.ts';
import { complete } from './judged.ts';
import { type Asked, callOf, type Scenario, SCENARIOS, scenarios, Tokens } from './scenario.ts';

// Addresses of this process alone, since Envoy must bind the ports that policies name.
const NET = `127.${192 + (process.pid % 60)}.${(process.pid >> 6) % 256}`;
const APPLICATION = `${NET}.250`;
const APPLICATION_PORTS = [
  { port: 18080, protocol: 'HTTP' },
  { port: 17070, protocol: 'GRPC' },
  { port: 18085, protocol: 'HTTP2' },
  { port: 19090, protocol: 'TCP' },
];
const PERMISSION_DENIED = 7;

/** Authorizers of `custom` cases, over HTTP and gRPC, without a proxy of their own. */
const AUTHORIZER_PORTS = Object.freeze({ http: 8000, grpc: 9000 });
const AUTHORIZER = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'ext-authz', namespace: 'servers' },
    spec: {
      selector: { app: 'ext-authz' },
      ports: [
        { name: 'http', port: AUTHORIZER_PORTS.http },
        { name: 'grpc', port: AUTHORIZER_PORTS.grpc },
      ],
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'ext-authz', namespace: 'servers', labels: { app: 'ext-authz' } },
    spec: { containers: [{ name: 'app' }] },
    status: { podIP: APPLICATION, phase: 'Running' },
  },
];

/** What gateways route to: an application without a proxy. */
const BEHIND_GATEWAYS = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'b', namespace: 'echo1' },
    spec: { selector: { app: 'b' }, ports: [{ name: 'http', port: 80, targetPort: 18080 }] },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'b', namespace: 'echo1', labels: { app: 'b' } },
    spec: { containers: [{ name: 'app', ports: [{ containerPort: 18080 }] }] },
    status: { podIP: APPLICATION, phase: 'Running' },
  },
];

/** What the Gateway and the HTTPRoute of `gateway-api` cases say, in Istio's kinds: theirs are not configured yet. */
const AS_GATEWAY_API = [
  {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { name: 'b-gateway', namespace: 'echo1' },
    spec: {
      selector: { 'gateway.networking.k8s.io/gateway-name': 'b-gateway' },
      servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*.b.com'] }],
    },
  },
  {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'b', namespace: 'echo1' },
    spec: {
      hosts: ['*.b.com'],
      gateways: ['b-gateway'],
      http: [
        {
          match: [{ uri: { prefix: '/allow' }, method: { exact: 'GET' } }],
          route: [{ destination: { host: 'b', port: { number: 80 } } }],
        },
      ],
    },
  },
];

/** Only the administrator may bind the ports of gateways. */
function boundPort(number: number): number {
  return number < 1024 ? 28_000 + number : number;
}

/** The ports of a gateway are those that it is asked on. */
function targetOf({ target, requests }: Scenario): Target {
  if (target.kind !== 'gateway') return target;
  const asked = new Map(requests.map(({ port }) => [port.number, port]));
  const ports = [...asked.values()].map(({ name, number, servicePort }) => {
    return { name, protocol: name === 'https' ? 'HTTPS' : 'HTTP', service: servicePort ?? number, workload: boundPort(number) };
  });
  return { ...target, ports };
}

/** Key sets are fetched from servers that are not here: those that answer at once are written into the configuration. */
function withKeys(text: string, keys: string): string {
  return text.replace(/jwksUri: "http:\/\/jwt-server\.[^"?]*\/jwks"/g, () => `jwks: '${keys}'`);
}

/** What is wrong with an outcome; undefined when all is as expected. */
function difference(outcome: Outcome, { expect, port }: Asked, tokens: Tokens): string | undefined {
  const allowed = expect.decision === 'allow';
  if (outcome.reached !== allowed)
    return `${outcome.reached ? 'reached the application' : 'stopped'}: ${outcome.status} ${outcome.body}`;
  if (expect.status !== undefined && outcome.status !== expect.status) return `status ${outcome.status}`;
  if (expect.grpcStatus === 'PERMISSION_DENIED' && outcome.grpcStatus !== PERMISSION_DENIED)
    return `gRPC status ${outcome.grpcStatus}`;
  if (
    expect.status === 403 &&
    port.protocol !== 'GRPC' &&
    outcome.body !== 'RBAC: access denied' &&
    !outcome.body.startsWith('Audiences') &&
    outcome.body !== DENIED_BY_AUTHORIZER
  )
    return `body ${outcome.body}`;
  for (const [name, value] of Object.entries(expect.upstreamRequestHeaders ?? {})) {
    if (outcome.seen?.headers[name] !== tokens.fill(value)) return `${name}: ${String(outcome.seen?.headers[name])}`;
  }
  return undefined;
}

describe('policy, corpus: scenarios in the real Envoy', function () {
  this.timeout(60_000);
  const path = corpusPath(SCENARIOS);
  const envoy = envoyPath();
  let folder = '';
  let authority: TestAuthority | undefined;
  let stopApplication: (() => Promise<void>) | undefined;
  let authorizers: readonly { stop(): Promise<void> }[] = [];
  let decided = 0;
  const certificates = new Map<string, Issued>();

  before(async function () {
    envoyOrSkip(this);
    if (path === undefined) this.skip();
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-scenarios-'));
    authority = await TestAuthority.create();
    stopApplication = await startApplication(APPLICATION, APPLICATION_PORTS);
    authorizers = await Promise.all([
      startHttpAuthorizer(APPLICATION, AUTHORIZER_PORTS.http),
      startGrpcAuthorizer(APPLICATION, AUTHORIZER_PORTS.grpc),
    ]);
  });
  after(async () => {
    await stopApplication?.();
    await Promise.all(authorizers.map((one) => one.stop()));
    if (folder === '') return;
    rmSync(folder, { recursive: true, force: true });
    process.stdout.write(`    ${decided} requests decided\n`);
  });

  async function shownBy({ from }: Asked): Promise<Issued | 'plain'> {
    if (from.principal === null) return 'plain';
    const known = certificates.get(from.principal);
    if (known !== undefined) return known;
    assert.ok(authority !== undefined);
    const made = await authority.issue(from.principal);
    certificates.set(from.principal, made);
    return made;
  }

  async function run(scenario: Scenario, index: number): Promise<RunningTarget> {
    assert.ok(path !== undefined && envoy !== undefined && authority !== undefined);
    const own = join(folder, String(index));
    mkdirSync(own);
    const config = join(own, 'config.yaml');
    const keys = readFileSync(join(path, 'jwt', 'jwks.json'), 'utf8').replaceAll(/\s+/g, ' ');
    writeFileSync(config, withKeys(readFileSync(join(path, scenario.config), 'utf8'), keys));
    return startTarget(envoy, {
      paths: [config],
      meshConfig: { ...scenario.meshConfig, rootNamespace: scenario.rootNamespace },
      target: targetOf(scenario),
      address: `${NET}.${index + 1}`,
      application: APPLICATION,
      authority,
      folder: own,
      objects: [
        ...(scenario.target.kind === 'gateway' ? BEHIND_GATEWAYS : []),
        ...(scenario.tags.includes('gateway-api') ? AS_GATEWAY_API : []),
        ...(scenario.tags.includes('custom') ? AUTHORIZER : []),
      ],
    });
  }

  complete(SCENARIOS, new Set(scenarios().map(({ id }) => id)));
  for (const [index, scenario] of (path === undefined ? [] : scenarios()).entries()) {
    it(scenario.id, async function () {
      if (path === undefined) this.skip();
      const tokens = new Tokens(path);
      const running = await run(scenario, index);
      try {
        const wrong: object[] = [];
        for (const asked of scenario.requests) {
          const to = { host: `${NET}.${index + 1}`, port: boundPort(asked.port.number) };
          const outcome = await send({ ...callOf(asked, scenario, tokens), to, shown: await shownBy(asked) });
          const different = difference(outcome, asked, tokens);
          if (different !== undefined) wrong.push({ different, asked });
        }
        assert.deepEqual(wrong.slice(0, 3), [], `${wrong.length} of ${scenario.requests.length}`);
        decided += scenario.requests.length;
      } finally {
        await running.stop();
      }
    });
  }
});
