// What shadow rules of real proxies say of real calls, against what the evaluator says of their records; and the commands that ask the store.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { startPair } from './pair.ts';
import { get, type Outcome, type RunningMesh } from './running-mesh.ts';

const POLICIES = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: server
  namespace: pair
  annotations:
    istio.io/dry-run: "true"
spec:
  selector: {matchLabels: {app: server}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/pair/sa/client]}}]
    to: [{operation: {methods: [GET], paths: ["/users/*", "/admin/*"]}}]
  - to: [{operation: {paths: ["/hidden"]}}]
    when: [{key: "request.headers[x-none]", values: [there]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: admin
  namespace: pair
  annotations:
    istio.io/dry-run: "true"
spec:
  selector: {matchLabels: {app: server}}
  action: DENY
  rules:
  - to: [{operation: {paths: ["/admin/*"]}}]
`;

const PATHS = Object.freeze(['/users/7', '/users/8', '/admin/all', '/other', '/hidden']);

interface Row {
  readonly path: string;
  readonly shadow: string | null;
  readonly evaluator: string | null;
  readonly policy: string | null;
  readonly count: number;
}

interface Answer {
  readonly agreed: { readonly allowed: number; readonly denied: number };
  readonly wouldBeDenied: readonly Row[];
  readonly disagreements: readonly Row[];
  readonly shadowOnly: readonly Row[];
  readonly undecided: readonly Row[];
}

describe('feature: dry runs, judged by proxies and by the evaluator', function () {
  this.timeout(240_000);
  let mesh: RunningMesh;
  before(async () => {
    mesh = await startPair('explicit');
    await mesh.apply(POLICIES, 'dry.yaml');
  });
  after(() => mesh?.stop());

  const call = async (path: string): Promise<void> => {
    const url = encodeURIComponent(`http://server:8080${path}`);
    const { status } = await get(mesh.gateway, `/call?url=${url}`, { host: 'pair.localhost' });
    assert.equal(status, 200);
  };
  const asked = (...args: readonly string[]): Promise<Outcome> =>
    mesh.gatehouse('policy', ...args, '--db', mesh.auditFile, '-o', 'json');

  it('both agree on every call that both could judge, and tell who would be denied by what', async () => {
    for (const path of PATHS) for (const _ of [1, 2, 3]) await call(path);
    const answer = await eventually('the records of all calls', async () => {
      const { stdout, stderr } = await asked('dry-run', '-f', mesh.dir, '--workload', 'pair/server');
      assert.notEqual(stdout, '', stderr);
      const found: Answer = JSON.parse(stdout);
      const all = found.agreed.allowed + found.agreed.denied + found.shadowOnly.reduce((sum, { count }) => sum + count, 0);
      return all === 3 * PATHS.length ? found : undefined;
    });
    assert.deepEqual(answer.disagreements, []);
    assert.deepEqual(answer.undecided, []);
    assert.deepEqual(answer.agreed, { allowed: 6, denied: 6 });
    // The record has no headers; the proxy saw that it is not there.
    assert.deepEqual(
      answer.shadowOnly.map(({ path, shadow, evaluator }) => [path, shadow, evaluator]),
      [['/hidden', 'DENY', null]],
    );
    assert.deepEqual(answer.wouldBeDenied.map(({ path, policy, count }) => [path, policy, count]).sort(), [
      ['/admin/all', 'pair/admin', 3],
      ['/hidden', null, 3],
      ['/other', null, 3],
    ]);
  });

  it('replay, unused and preflight answer from the same records', async () => {
    const replayed = await asked('replay', '--before', mesh.dir, '--after', join(mesh.dir, 'pair'));
    assert.equal(replayed.code, 0, replayed.stderr);
    const unused = await asked('unused', '-f', mesh.dir);
    assert.equal(unused.code, 0, unused.stderr);
    const { policies }: { policies: readonly { readonly policy: string; readonly edits: readonly string[] }[] } = JSON.parse(
      unused.stdout,
    );
    assert.deepEqual(
      policies.flatMap(({ edits }) => edits),
      [],
    );
    const preflight = await asked('preflight', 'pair/server', '-f', mesh.dir);
    assert.equal(preflight.code, 0, preflight.stdout);
  });
});
