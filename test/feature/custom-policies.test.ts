// CUSTOM, AUDIT and dry runs in a whole mesh, with an authorizer that is a workload of it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { DENIED_BY_AUTHORIZER } from '../policy/ext-authz/servers.ts';
import { inBothCaptureModes } from './capture-modes.ts';
import { sendUntil } from './load.ts';
import { get, type ReportedEdge, root, RunningMesh } from './running-mesh.ts';

const MESH_CONFIG = `extensionProviders:
- name: web
  envoyExtAuthzHttp:
    service: authorizer.authz.svc.cluster.local
    port: 8000
    includeRequestHeadersInCheck: [x-ext-authz]
- name: rpc
  envoyExtAuthzGrpc:
    service: authz/authorizer.authz.svc.cluster.local
    port: 9000
`;

function policy(name: string, spec: string, annotations = ''): string {
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ${name}, namespace: pair${annotations}}
spec: {selector: {matchLabels: {app: client}}, ${spec}}
`;
}

function asking(provider: string): string {
  return policy('ask', `action: CUSTOM, provider: {name: ${provider}}, rules: [{to: [{operation: {paths: [/secret]}}]}]`);
}

const HOST = { host: 'pair.localhost' };
const ALLOW = { ...HOST, 'x-ext-authz': 'allow' };

inBothCaptureModes('CUSTOM policies', (capture) => {
  let mesh: RunningMesh;
  let folder = '';

  before('start a mesh with an authorizer', async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-custom-'));
    const meshConfig = join(folder, 'mesh-config.yaml');
    writeFileSync(meshConfig, MESH_CONFIG);
    const meshes = ['pair', 'authorizer'].map((name) => join(root, 'test', 'feature', 'meshes', name));
    const command = `${process.execPath} --disable-warning=ExperimentalWarning ${join(root, 'test', 'feature', 'authorizer.ts')}`;
    mesh = await RunningMesh.start(meshes, capture, ['--mesh-config', meshConfig, '--image', `test/authorizer=${command}`]);
  });
  after(async () => {
    await mesh?.stop();
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  async function statusOf(path: string, headers: Record<string, string>): Promise<number> {
    return (await get(mesh.gateway, path, headers)).status;
  }

  async function edge(
    what: string,
    matches: (edge: ReportedEdge) => boolean,
    ...flags: readonly string[]
  ): Promise<ReportedEdge> {
    return eventually(`the report to show ${what}`, async () =>
      (await mesh.edges('--namespace', 'pair', ...flags)).find(matches),
    );
  }

  for (const provider of ['web', 'rpc']) {
    it(`an authorizer in the mesh decides (${provider}), and the audit says so`, async () => {
      await mesh.apply(asking(provider), 'custom.yaml');
      await mesh.answers('/secret', ({ status, body }) => status === 403 && body === DENIED_BY_AUTHORIZER, HOST);
      assert.deepEqual([await statusOf('/secret', ALLOW), await statusOf('/open', HOST)], [200, 200]);
      const denied = await edge('the denial', ({ reason }) => reason.startsWith(`provider ${provider} denied it`));
      assert.deepEqual([denied.policy, denied.verdict, denied.decision], ['pair/ask', 'denied-custom', 'DENY']);
    });
  }

  it('the authorizer is asked over mutual TLS, by the workload that asks', async () => {
    const asked = await edge(
      'the question',
      ({ destination, decision }) => destination.workload === 'authz/authorizer' && decision === 'ALLOW',
    );
    assert.deepEqual([asked.source.principal, asked.mtls], ['spiffe://cluster.local/ns/pair/sa/client', true]);
  });

  it('nothing gets through while the provider of a policy changes', async function () {
    this.timeout(120_000);
    let changes = 0;
    const load = sendUntil(
      { address: mesh.gateway, path: '/secret', headers: HOST, name: ({ status }) => String(status) },
      () => changes >= 10,
    );
    while (changes < 10) {
      await mesh.apply(asking(changes % 2 === 0 ? 'web' : 'rpc'), 'custom.yaml');
      changes++;
    }
    const { counts, sent } = await load;
    assert.ok(sent > 100);
    assert.deepEqual([...counts.keys()], ['403'], JSON.stringify([...counts]));
  });

  it('a provider that is not there denies, and so does one whose Service leaves the mesh', async () => {
    await mesh.apply(asking('nobody'), 'custom.yaml');
    await mesh.answers('/secret', ({ status }) => status === 403, ALLOW);
    assert.equal(await statusOf('/open', HOST), 200);
    await mesh.apply(asking('web'), 'custom.yaml');
    await mesh.answers('/secret', ({ status }) => status === 200, ALLOW);
    await mesh.change(() => mesh.move('authorizer', '.authorizer'));
    await mesh.answers('/secret', ({ status }) => status === 403, ALLOW);
    assert.equal(await statusOf('/open', HOST), 200);
    await mesh.change(() => mesh.move('.authorizer', 'authorizer'));
    await mesh.answers('/secret', ({ status }) => status === 200, ALLOW);
    await mesh.apply(asking('rpc'), 'custom.yaml');
    await mesh.answers('/secret', ({ status }) => status === 200, ALLOW);
    assert.equal(await statusOf('/secret', HOST), 403);
  });

  it('a gateway asks, too, and the audit says so', async () => {
    const atGateway = (provider: string): string => `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ask-first, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  action: CUSTOM
  provider: {name: ${provider}}
  rules: [{to: [{operation: {paths: [/front]}}]}]
`;
    for (const provider of ['web', 'rpc']) {
      await mesh.apply(atGateway(provider), 'front.yaml');
      await mesh.answers('/front', ({ status, body }) => status === 403 && body === DENIED_BY_AUTHORIZER, HOST);
      assert.deepEqual([await statusOf('/front', ALLOW), await statusOf('/open', HOST)], [200, 200]);
    }
    await eventually('the denial at the gateway', async () =>
      (await mesh.edges()).find(
        ({ destination, policy: by, verdict }) =>
          destination.workload === 'istio-system/istio-ingressgateway' &&
          by === 'istio-system/ask-first' &&
          verdict === 'denied-custom',
      ),
    );
    await mesh.remove('front.yaml');
    await mesh.answers('/front', ({ status }) => status === 200, HOST);
  });

  it('AUDIT notes, dry runs tell what they would deny, and neither stops a call', async () => {
    const anywhere = (path: string): string => `rules: [{to: [{operation: {paths: [${path}]}}]}]`;
    const dryRun = ', annotations: {istio.io/dry-run: "true"}';
    await mesh.apply(
      [
        policy('watch', `action: AUDIT, ${anywhere('/watched')}`),
        policy('trial', `action: DENY, ${anywhere('/tried')}`, dryRun),
      ].join('---\n'),
      'custom.yaml',
    );
    assert.deepEqual([await statusOf('/watched', HOST), await statusOf('/tried', HOST)], [200, 200]);
    const watched = await edge('the audited call', ({ path, marks }) => path === '/watched' && marks.length > 0);
    assert.deepEqual(watched.marks, [{ kind: 'audited', policy: 'pair/watch', rule: 0, provider: null }]);
    const tried = await edge('what would be denied', ({ path }) => path === '/tried', '--verdict', 'would-be-denied');
    assert.deepEqual(tried.marks, [{ kind: 'would-deny', policy: 'pair/trial', rule: 0, provider: null }]);
  });

  it('ALLOW, DENY and CUSTOM are judged together in a dry run, by proxies and by the evaluator alike', async () => {
    const dryRun = ', annotations: {istio.io/dry-run: "true"}';
    const paths = (list: string): string => `rules: [{to: [{operation: {paths: [${list}]}}]}]`;
    await mesh.apply(
      [
        policy('ask', `action: CUSTOM, provider: {name: web}, ${paths('/asked/*')}`),
        policy('may', `action: ALLOW, ${paths('/asked/*, /granted/*')}`, dryRun),
        policy('not', `action: DENY, ${paths('/granted/not, /asked/not')}`, dryRun),
      ].join('---\n'),
      'custom.yaml',
    );
    await mesh.answers('/asked/first', ({ status }) => status === 403, HOST);
    const calls = ['/asked/ok', '/asked/not', '/granted/ok', '/granted/not', '/neither/one'];
    for (const path of calls) for (const _ of [1, 2]) assert.equal(await statusOf(path, ALLOW), 200, path);
    const rowsOf = (rows: readonly { readonly path: string; readonly policy: string | null; readonly count: number }[]) =>
      rows
        .filter(({ path }) => calls.includes(path))
        .map(({ path, policy, count }) => [path, policy, count])
        .sort();
    const config = ['-f', mesh.dir, '--mesh-config', join(folder, 'mesh-config.yaml')];
    let answer: { wouldBeDenied: never[]; disagreements: never[]; undecided: never[]; agreed: { denied: number } } | undefined;
    await eventually('the records of all calls', async () => {
      const { stdout, stderr } = await mesh.gatehouse(
        ...['policy', 'dry-run', ...config, '--workload', 'pair/client', '--db', mesh.auditFile, '-o', 'json'],
      );
      assert.notEqual(stdout, '', stderr);
      answer = JSON.parse(stdout);
      return rowsOf(answer?.wouldBeDenied ?? []).reduce((sum, [, , count]) => sum + Number(count), 0) === 6 ? true : undefined;
    }).catch((error: unknown) => assert.fail(`${String(error)}: ${JSON.stringify(answer)}`));
    assert.deepEqual(rowsOf(answer?.wouldBeDenied ?? []), [
      ['/asked/not', 'pair/not', 2],
      ['/granted/not', 'pair/not', 2],
      ['/neither/one', null, 2],
    ]);
    // Of calls from before the dry run proxies could say nothing.
    assert.deepEqual([rowsOf(answer?.disagreements ?? []), rowsOf(answer?.undecided ?? [])], [[], []]);
    assert.ok((answer?.agreed.denied ?? 0) >= 6, JSON.stringify(answer));
  });
});
