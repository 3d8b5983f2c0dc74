import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerHttp2Session } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Issued, TestAuthority } from '../audit/envoy/certificates.ts';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { judge } from '../../mesh/gateway-api/status/judge.ts';
import { eventually } from '../eventually.ts';
import { divergences } from '../mesh/corpus/divergences.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { corpusCases, corpusFile } from './corpora.ts';
import { type Answer, call } from './envoy/call.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { withSecrets } from './envoy/gateway-api-edge.ts';
import { startStaticProxy } from './envoy/static-proxy.ts';
import { explicitPod } from './workloads.ts';
import { freePort, startUpstream, type Upstream } from './envoy/upstream.ts';

interface Row {
  readonly Backend?: string;
  readonly Request?: {
    readonly Host?: unknown;
    readonly Method?: string;
    readonly Path?: string;
    readonly Headers?: Readonly<Record<string, string>>;
  };
  readonly EchoRequest?: unknown;
  readonly EchoTwoRequest?: unknown;
  readonly RequestMetadata?: { readonly Authority?: string; readonly Metadata?: Readonly<Record<string, string>> };
  readonly Response?: {
    readonly Code?: string;
    readonly StatusCode?: number;
    readonly StatusCodes?: readonly number[];
    readonly Headers?: Readonly<Record<string, string>>;
    readonly AbsentHeaders?: readonly string[];
  };
  readonly ExpectedRequest?: {
    readonly Request?: { readonly Path?: string; readonly Host?: string; readonly Headers?: Readonly<Record<string, string>> };
    readonly AbsentHeaders?: readonly string[];
  };
  readonly RedirectRequest?: {
    readonly Scheme?: string;
    readonly Host?: string;
    readonly Port?: string;
    readonly Path?: string;
  };
  readonly MirroredTo?: readonly { readonly BackendRef: { readonly Name: string }; readonly Percent?: unknown }[];
  readonly _list?: number;
}

interface Case {
  readonly id: string;
  readonly manifests: readonly string[];
  readonly rows: readonly Row[];
}

const CLIENT = '127.27.77.1';
const GATEWAYS = '127.26.77';
/** In the certificate of the gateways that end TLS. */
const SERVER = 'gateway.test';
const BACKENDS = [
  'infra-backend-v1',
  'infra-backend-v2',
  'infra-backend-v3',
  'grpc-infra-backend-v1',
  'grpc-infra-backend-v2',
  'grpc-infra-backend-v3',
  'echo-v1',
  'echo-v2',
] as const;
const INFRA = 'gateway-conformance-infra';
const MESH = 'gateway-conformance-mesh';
const addressOf = (name: string) => `127.28.77.${BACKENDS.indexOf(name as (typeof BACKENDS)[number]) + 1}`;

/** A gRPC server as far as routing sees one: HTTP/2 without TLS. */
async function startHttp2(name: string, address: string, port: number): Promise<Upstream> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer((request, response) => {
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([header]) => !header.startsWith(':')));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ server: name, path: request.url, headers }));
  });
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  server.listen(port, address);
  await once(server, 'listening');
  return {
    name,
    seen: [],
    close: async () => {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function backends(port: number): string {
  return BACKENDS.map((name) => {
    const mesh = name.startsWith('echo');
    const labels = mesh ? `{app: echo, version: ${name.slice(5)}}` : `{app: ${name}}`;
    return `
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}-0, namespace: ${mesh ? MESH : INFRA}, labels: ${labels}}
spec: {containers: [{name: app, ports: [{containerPort: ${port}}]}]}
status: {podIP: ${addressOf(name)}, phase: Running}`;
  }).join('');
}

const caller = `\n---${explicitPod('caller', MESH, '127.27.77.9', CLIENT)}`;

function gatewayPod(name: string, address: string, port: number, port8080: number, port443: number): string {
  return `
---
apiVersion: v1
kind: Pod
metadata:
  name: pod-${name}
  namespace: ${INFRA}
  labels: {gateway.networking.k8s.io/gateway-name: ${name}}
  annotations: {gatehouse.dev/bind-address: ${address}}
spec: {containers: [{name: proxy}]}
status: {podIP: ${address}, phase: Running}
---
apiVersion: v1
kind: Service
metadata: {name: svc-${name}, namespace: ${INFRA}}
spec:
  selector: {gateway.networking.k8s.io/gateway-name: ${name}}
  ports: [{name: http, port: 80, targetPort: ${port}}, {name: alt, port: 8080, targetPort: ${port8080}}, {name: https, port: 443, targetPort: ${port443}}]
`;
}

/** Deployments give way to the Pods of the test; Services lead to its port. */
function adapted(yaml: string, port: number): string {
  return yaml
    .replaceAll('{GATEWAY_CLASS_NAME}', 'gatehouse')
    .split(/^---$/m)
    .filter((document) => !/^kind: (Deployment|ConfigMap|Secret)$/m.test(document))
    .map((document) =>
      /^kind: Service$/m.test(document)
        ? document
            .replaceAll(/^(\s*(?:- )?)targetPort: .*$/gm, `$1targetPort: ${port}`)
            .replaceAll(/^(\s*)- port: (\d+)$/gm, `$1- port: $2\n$1  targetPort: ${port}`)
            .replaceAll(
              /^(\s*)- name: (\S+)\n\s*port: (8080|7070|9090)$/gm,
              `$1- name: $2\n$1  port: $3\n$1  targetPort: ${port}`,
            )
        : document,
    )
    .map((document) => document.replace(/targetPort: (\d+)\n(\s*)targetPort: \d+/g, 'targetPort: $1'))
    .join('---');
}

const gatewaysIn = (yaml: string) =>
  yaml
    .split(/^---$/m)
    .filter((document) => /^kind: Gateway$/m.test(document))
    .flatMap((document) => /^ {2}name: "?([\w-]+)/m.exec(document)?.[1] ?? []);

const lower = (headers: Readonly<Record<string, string>> = {}) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** Values of one header, however many lines they came in. */
const listed = (value: string | readonly string[] | undefined) => String(value).replaceAll(/,\s+/g, ',');

function checkRedirect(name: string, answer: Answer, row: Row): void {
  const wanted = row.RedirectRequest;
  if (wanted === undefined) return;
  const location = answer.headers.location ?? '';
  const found = new URL(location, 'http://example.test');
  if (wanted.Scheme !== undefined) assert.equal(found.protocol, `${wanted.Scheme}:`, `${name} ${location}`);
  if (wanted.Host !== undefined) assert.equal(found.hostname, wanted.Host, `${name} ${location}`);
  if (wanted.Port !== undefined) assert.equal(found.port, wanted.Port.trim(), `${name} ${location}`);
  if (wanted.Path !== undefined) assert.equal(found.pathname, wanted.Path, `${name} ${location}`);
}

function check(name: string, answer: Answer, row: Row): void {
  const redirected = row.RedirectRequest !== undefined;
  const statuses = row.Response?.StatusCodes ?? [
    row.Response?.StatusCode ?? (row.Response?.Code === '$codes.Unimplemented' ? 404 : redirected ? 302 : 200),
  ];
  assert.ok(statuses.includes(answer.status), `${name}: ${answer.status}, not ${statuses.join(' or ')}`);
  checkRedirect(name, answer, row);
  if (row.Backend !== undefined && answer.status === 200) assert.equal(answer.server, row.Backend, name);
  const grpc = row.EchoRequest !== undefined || row.EchoTwoRequest !== undefined;
  for (const [header, value] of Object.entries(lower(grpc ? {} : row.Response?.Headers)))
    assert.equal(listed(answer.headers[header]), value, `${name} ${header}`);
  for (const header of row.Response?.AbsentHeaders ?? []) assert.equal(answer.headers[header.toLowerCase()], undefined, name);
  // What a gRPC backend saw stands as a quoted name with a list of values.
  for (const [header, value] of Object.entries(lower(grpc ? row.Response?.Headers : {})))
    assert.equal(listed(answer.seen[header.replaceAll('"', '')]), listed(value), `${name} ${header}`);
  const wanted = row.ExpectedRequest;
  if (wanted?.Request?.Path !== undefined) assert.equal(answer.path, wanted.Request.Path, name);
  if (wanted?.Request?.Host !== undefined) assert.equal(answer.seen.host, wanted.Request.Host, name);
  for (const [header, value] of Object.entries(lower(wanted?.Request?.Headers)))
    assert.equal(listed(answer.seen[header]), value, `${name} ${header}`);
  for (const header of wanted?.AbsentHeaders ?? [])
    assert.equal(answer.seen[header.toLowerCase()], undefined, `${name} ${header}`);
}

/** Rows of cases that are listed as divergences: those that contradict others, or want what nothing in the case does. */
const CONTRADICTED: Readonly<Record<string, readonly number[]>> = Object.freeze({
  grpcrouterequestheadermodifier: [2, 3, 4, 5, 6],
  meshhttproutenamedrule: [1],
});

/** What the manifests (and what is said in them) leave without the condition; all else must be accepted, and find all that it names. */
const REFUSED: Readonly<Record<string, readonly string[]>> = Object.freeze({
  listenersetallowedroutesnamespaces: ['HTTPRoute route-in-gateway-namespace Accepted NotAllowedByListeners'],
  listenersetdualparentrefindependence: ['HTTPRoute route-dual-parentref-one Accepted NoMatchingParent'],
});

function checkConditions(id: string, snapshot: Snapshot): void {
  const { statuses, unserved } = judge(snapshot, () => 'unknown');
  assert.deepEqual(unserved, [], id);
  const found = statuses.flatMap(({ kind, meta, problems }) =>
    // Of the Gateways of all cases one has pods here.
    problems
      .filter(({ condition }) => condition !== 'Programmed')
      .map(({ condition, reason }) => `${kind} ${meta.name} ${condition} ${reason}`),
  );
  assert.deepEqual(found, REFUSED[id] ?? [], `${id}: conditions`);
}

describe('corpus: Gateway API conformance through the real Envoy', function () {
  this.timeout(90_000);
  const cases = corpusCases('gateway-api-conformance') as readonly Case[];
  const file = (path: string) => corpusFile('gateway-api-conformance', path) ?? '';
  let envoy = '';
  let folder = '';
  let port = 0;
  let authority: TestAuthority;
  let secrets: ReadonlyMap<string, Issued>;
  const servers = new Map<string, Upstream>();

  before(async function () {
    if (cases.length === 0) this.skip();
    envoy = envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
    port = await freePort();
    authority = await TestAuthority.create();
    secrets = new Map([['tls-validity-checks-certificate', await authority.issueForHost(SERVER)]]);
    for (const name of BACKENDS)
      servers.set(name, await (name.startsWith('grpc') ? startHttp2 : startUpstream)(name, addressOf(name), port));
  });

  after(async () => {
    await Promise.all([...servers.values()].map((server) => server.close()));
    if (folder !== '') rmSync(folder, { recursive: true });
  });

  it('has cases', function () {
    if (cases.length === 0) this.skip();
  });

  for (const [index, one] of cases.entries()) {
    it(one.id, async function () {
      const mesh = one.id.startsWith('mesh');
      const lists = [...new Set(one.rows.map((row) => row._list))];
      // Each table of a case with several manifests is for one of them.
      const perManifest = lists.length > 1 && one.manifests.length > 1;
      for (const [which, list] of lists.entries()) {
        const manifests = perManifest ? [one.manifests[which] ?? ''] : one.manifests;
        const own = adapted(manifests.map(file).join('\n---\n'), port);
        const base = adapted(file(mesh ? 'manifests/mesh-base.yaml' : 'manifests/base.yaml'), port);
        const rows = one.rows.filter((row) => row._list === list);
        const names = gatewaysIn(own);
        const [parent] = [...own.matchAll(/^ {2}- name: (same-namespace|all-namespaces|backend-namespaces)$/gm)];
        const gateway = names[0] ?? parent?.[1] ?? 'same-namespace';
        const alternative = one.id === 'httprouteredirectportandscheme' ? which : 0;
        const through =
          one.id === 'httprouteredirectportandscheme'
            ? (['same-namespace', 'same-namespace-with-http-listener-on-8080', 'same-namespace-with-https-listener'][which] ??
              gateway)
            : gateway;
        const ports = [await freePort(), await freePort(), await freePort()] as const;
        const address = `${GATEWAYS}.${index + 1}`;
        const yaml = `${base}\n---\n${own}${backends(port)}${mesh ? caller : gatewayPod(through, address, ...ports)}`;
        const snapshot = snapshotOf(yaml);
        checkConditions(one.id, snapshot);
        const compiled = compiledFor(snapshot, mesh ? `${MESH}/caller` : `gateway:${INFRA}/pod-${through}`);
        const place = join(folder, `${index}-${which}`);
        mkdirSync(place);
        const amend = (config: object) => withSecrets(config, secrets);
        const proxy = await startStaticProxy({ envoy, compiled, folder: place, account: 'x/a', amend });
        try {
          for (const [at, row] of rows.entries()) {
            if (divergences('gateway-api-conformance').has(one.id) && CONTRADICTED[one.id]?.includes(at) === true) continue;
            const path =
              row.EchoRequest === undefined && row.EchoTwoRequest === undefined
                ? (row.Request?.Path ?? '/')
                : `/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/${row.EchoRequest === undefined ? 'EchoTwo' : 'Echo'}`;
            const host = row.Request?.Host ?? row.RequestMetadata?.Authority ?? (mesh ? 'echo' : 'example.test');
            if (typeof host !== 'string') continue; // an address of a Pod: no host that an explicit proxy is asked for
            const set = (row as { readonly BackendSetResponseHeaders?: Readonly<Record<string, string>> })
              .BackendSetResponseHeaders;
            const answer = await call(
              undefined,
              mesh ? CLIENT : address,
              mesh ? 15_001 : (ports[alternative] ?? ports[0]),
              host,
              path,
              {
                ...(alternative === 2 ? { tls: { ca: authority.root, servername: SERVER } } : {}),
                method: row.Request?.Method ?? (path.startsWith('/gateway_api') ? 'POST' : 'GET'),
                headers: {
                  ...(row.Request?.Headers ?? row.RequestMetadata?.Metadata),
                  ...(set === undefined ? {} : { 'x-answer-headers': JSON.stringify(set) }),
                },
              },
            );
            check(`${one.id} row ${at} ${host}${path}`, answer, row);
            for (const { BackendRef, Percent } of row.MirroredTo ?? []) {
              if (Percent !== undefined) continue;
              await eventually(`a copy at ${BackendRef.Name}`, () =>
                Promise.resolve(
                  servers.get(BackendRef.Name)?.seen.some((seen) => seen.path === path) === true ? true : undefined,
                ),
              );
            }
          }
        } finally {
          await proxy.stop();
        }
      }
    });
  }
});
