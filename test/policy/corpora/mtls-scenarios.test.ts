import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Issued, TestAuthority } from '../../audit/envoy/certificates.ts';
import { envoyOrSkip, envoyPath } from '../../audit/envoy/process.ts';
import { type ApplicationPort, startApplication } from '../envoy/application.ts';
import { type Call, type Outcome, send } from '../envoy/caller.ts';
import { objectsOf, type RunningTarget, startTarget, type Target } from '../envoy/target.ts';
import { casesOf, corpusPath } from './corpus.ts';
import { type Record, recordOf } from './golden/record.ts';
import { complete } from './judged.ts';
import { throughChainsOfUndeclaredPorts } from './pass-through.ts';

interface Row {
  readonly from?: 'sidecar' | 'naked';
  readonly to?: 'sidecar' | 'naked';
  readonly path?: string;
  readonly success: boolean;
  readonly mtls: boolean | null;
}

interface Scenario {
  readonly id: string;
  readonly config: string;
  readonly ports?: readonly string[];
  readonly rows?: readonly Row[];
  readonly expect?: readonly {
    readonly port: number;
    readonly appProtocol: 'HTTP' | 'TCP';
    readonly plaintextSucceeds: boolean;
    readonly mtlsSucceeds: boolean;
  }[];
}

const THEME = 'mtls-scenarios';
/** Runs in test/feature/trust-domains.test.ts, in a whole mesh. */
const ELSEWHERE = 'trust-domain-validation';
const NET = `127.${128 + (process.pid % 60)}.${(process.pid >> 6) % 256}`;
/** Where the proxies take traffic, and where the applications beside them listen. */
const CLIENT = Object.freeze({ pod: `${NET}.1`, app: `${NET}.11` });
const SERVER = Object.freeze({ pod: `${NET}.2`, app: `${NET}.12` });
const NAKED = `${NET}.3`;
const HTTP_PROXY = 15_001;

const PORTS: readonly (ApplicationPort & { readonly name: string })[] = [
  { name: 'http', port: 18080, protocol: 'HTTP' },
  { name: 'http2', port: 18085, protocol: 'HTTP2' },
  { name: 'https', port: 18443, protocol: 'HTTPS' },
  { name: 'tcp', port: 19090, protocol: 'TCP' },
  { name: 'grpc', port: 17070, protocol: 'GRPC' },
];
const TARGET_PORTS = PORTS.map(({ name, protocol, port }) => ({ name, protocol, service: port, workload: port }));

const A: Target = {
  kind: 'sidecar',
  namespace: 'echo1',
  service: 'a',
  serviceAccount: 'a',
  labels: { app: 'a' },
  ports: [{ name: 'http-own', protocol: 'HTTP', service: 15_999, workload: 15_999 }],
};
const B: Target = { ...A, service: 'b', serviceAccount: 'b', labels: { app: 'b' }, ports: TARGET_PORTS };

/** A server as others see it; one without a proxy is its own application. */
function seen(target: Target, pod: string, app: string, meshed: boolean): readonly object[] {
  const [service = {}, written] = objectsOf(target, meshed ? pod : app, app);
  if (meshed) return [service, recordOf(written)];
  const { metadata, ...rest } = recordOf(written);
  return [service, { ...rest, metadata: { ...recordOf(metadata), labels: target.labels, annotations: {} } }];
}

describe('policy, corpus: mutual TLS in the real Envoy', function () {
  this.timeout(60_000);
  const path = corpusPath(THEME);
  const envoy = envoyPath();
  const cases = casesOf<Scenario>(THEME);
  let folder = '';
  let authority: TestAuthority | undefined;
  const closers: (() => Promise<void>)[] = [];
  let runs = 0;

  before(async function () {
    envoyOrSkip(this);
    if (path === undefined) this.skip();
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-mtls-'));
    authority = await TestAuthority.create();
    const own = await authority.issueForHost('app.test');
    for (const address of [SERVER.app, NAKED]) closers.push(await startApplication(address, PORTS, own));
  });
  after(async () => {
    await Promise.all(closers.map((close) => close()));
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  async function run(
    target: Target,
    at: { pod: string; app: string },
    config: string,
    objects: readonly object[],
  ): Promise<RunningTarget> {
    assert.ok(envoy !== undefined && authority !== undefined);
    const own = join(folder, String((runs += 1)));
    mkdirSync(own);
    const file = join(own, 'config.yaml');
    writeFileSync(file, config);
    const { pod: address, app: application } = at;
    return startTarget(envoy, { paths: [file], meshConfig: {}, target, address, application, authority, folder: own, objects });
  }

  /** As the application beside the client's proxy calls: HTTP by its HTTP proxy, all else at the service's port. */
  function fromSidecar(host: string, { protocol, port }: ApplicationPort): Call {
    const bytes = protocol === 'TCP' || protocol === 'HTTPS';
    return {
      to: { host: CLIENT.app, port: bytes ? port : HTTP_PROXY },
      shown: protocol === 'HTTPS' ? 'anonymous' : 'plain',
      alpn: ['http/1.1'],
      protocol: protocol === 'HTTPS' ? 'HTTP' : protocol,
      method: protocol === 'GRPC' ? 'POST' : 'GET',
      headers: { host: `${host}:${port}` },
    };
  }

  function fromOutside({ protocol, port }: ApplicationPort): Call {
    return { ...fromSidecar('b.echo1', { protocol, port }), to: { host: SERVER.pod, port } };
  }

  function check(what: string, outcome: Outcome, { success, mtls }: Row, protocol: string): void {
    assert.equal(outcome.reached, success, `${what}: ${JSON.stringify(outcome)}`);
    if (mtls === null || protocol === 'HTTPS' || outcome.seen === undefined) return;
    assert.equal(outcome.seen.headers['x-forwarded-client-cert'] !== undefined, mtls, `${what}: mutual TLS`);
  }

  async function reachability({ config, ports: named = [], rows = [] }: Scenario): Promise<void> {
    assert.ok(path !== undefined);
    const text = readFileSync(join(path, config), 'utf8');
    const wanted = named.map((name) => name.split(' ')[0]);
    const asked = [
      ...PORTS.filter(({ name }) => wanted.includes(name)),
      ...(wanted.includes('websocket') ? [{ port: 18080, protocol: 'WEBSOCKET' }] : []),
    ];
    const server = await run(B, SERVER, text, seen(A, CLIENT.pod, CLIENT.app, true));
    const client = await run(A, CLIENT, text, seen(B, SERVER.pod, SERVER.app, true));
    try {
      for (const row of rows.filter(({ to }) => to === 'sidecar')) {
        for (const one of asked) {
          const call = row.from === 'sidecar' ? fromSidecar('b.echo1.svc.cluster.local', one) : fromOutside(one);
          check(`${row.from} to sidecar, ${one.protocol}`, await send(call), row, one.protocol);
        }
      }
    } finally {
      await client.stop();
      await server.stop();
    }
    // Towards a server without a proxy the rules are written for its own name.
    const own = text
      .replaceAll('app: b', 'app: naked')
      .replaceAll('"b.echo1', '"naked.echo1')
      .replaceAll('name: "b"', 'name: "naked"');
    const naked = { ...B, service: 'naked', serviceAccount: 'naked', labels: { app: 'naked' } };
    const other = await run(A, CLIENT, own, seen(naked, '', NAKED, false));
    try {
      for (const row of rows.filter(({ to }) => to === 'naked')) {
        for (const one of asked)
          check(`${row.from} to naked, ${one.protocol}`, await send(fromSidecar('naked.echo1', one)), row, one.protocol);
      }
    } finally {
      await other.stop();
    }
  }

  async function migration({ config, rows = [] }: Scenario): Promise<void> {
    assert.ok(path !== undefined);
    const text = readFileSync(join(path, config), 'utf8');
    const version = (name: string): Target => ({
      ...B,
      service: name,
      serviceAccount: 'migration',
      labels: { app: 'migration', version: name },
      ports: TARGET_PORTS.slice(0, 1),
    });
    const both: Record = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'migration', namespace: 'echo1' },
      spec: { selector: { app: 'migration' }, ports: [{ name: 'http', port: 80, targetPort: 18080 }] },
    };
    const legacy = seen(version('vlegacy'), '', NAKED, false);
    const server = await run(version('vistio'), SERVER, text, [both, ...legacy]);
    const client = await run(A, CLIENT, text, [both, ...legacy, ...seen(version('vistio'), SERVER.pod, SERVER.app, true)]);
    try {
      for (const row of rows) {
        const call = { ...fromSidecar('migration.echo1.svc.cluster.local', { port: 80, protocol: 'HTTP' }), path: row.path };
        check(String(row.path), await send(call), row, 'HTTP');
      }
    } finally {
      await client.stop();
      await server.stop();
    }
  }

  /** Ports that no Service names, as the listener decides that iptables sends all to. */
  async function passThrough({ config, expect = [] }: Scenario): Promise<void> {
    assert.ok(path !== undefined && envoy !== undefined && authority !== undefined);
    for (const { port, appProtocol, plaintextSucceeds, mtlsSucceeds } of expect) {
      const own = join(folder, String((runs += 1)));
      const undeclared: ApplicationPort = { port, protocol: appProtocol };
      const stop = await startApplication(SERVER.app, [undeclared]);
      const server = await startTarget(envoy, {
        paths: [join(path, config)],
        meshConfig: {},
        target: B,
        address: SERVER.pod,
        application: SERVER.app,
        authority,
        folder: own,
        captured: true,
        amend: (made) => throughChainsOfUndeclaredPorts(made, { host: SERVER.pod, port }, { host: SERVER.app, port }),
      });
      try {
        const shown: Issued = await authority.issue('spiffe://cluster.local/ns/echo1/sa/a');
        const call: Omit<Call, 'shown'> = {
          to: { host: SERVER.pod, port },
          protocol: appProtocol,
          alpn: ['istio-peer-exchange', 'istio'],
        };
        assert.equal((await send({ ...call, shown: 'plain' })).reached, plaintextSucceeds, `plain text to ${port}`);
        assert.equal((await send({ ...call, shown })).reached, mtlsSucceeds, `mutual TLS to ${port}`);
      } finally {
        await server.stop();
        await stop();
      }
    }
  }

  for (const one of cases) {
    if (one.id === ELSEWHERE) continue;
    it(one.id, () => {
      if (one.expect !== undefined) return passThrough(one);
      return one.ports === undefined ? migration(one) : reachability(one);
    });
  }
  complete(THEME, new Set(cases.map(({ id }) => id)));
});
