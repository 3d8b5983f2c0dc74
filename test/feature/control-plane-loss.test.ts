// kill -9 of the control plane under traffic: the data plane goes on, and what comes back has the same root.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { eventually } from '../eventually.ts';
import { inBothCaptureModes } from './capture-modes.ts';
import { send, sendUntil } from './load.ts';
import { answerInstead, serverStatus, startPair, throughClient } from './pair.ts';
import type { Reply, RunningMesh } from './running-mesh.ts';

const answered = (reply: Reply): string | undefined => (serverStatus(reply) === '200' ? 'ok' : undefined);

inBothCaptureModes('loss of the control plane', (capture) => {
  let mesh: RunningMesh;
  before('start a pair', async () => {
    mesh = await startPair(capture);
  });
  after(() => mesh?.stop());

  const calls = () => ({ ...throughClient(mesh), name: answered });

  it('no request is dropped; proxies reconnect, the root is the same, and changes arrive again', async () => {
    const { rootCert } = mesh.ready.controlPlane;
    const rootBefore = readFileSync(rootCert, 'utf8');
    const before = await eventually('control plane status', () => mesh.status());
    process.kill(before.pid, 'SIGKILL');
    let back: number | undefined;
    const returned = eventually(
      'the control plane to come back with all proxies',
      async () => {
        const now = await mesh.status();
        if (now === undefined || now.pid === before.pid || now.proxies.length < before.proxies.length) return undefined;
        return now.proxies.every((proxy) => proxy.acknowledged >= now.snapshot) ? now : undefined;
      },
      30_000,
    ).finally(() => (back = Date.now()));
    const tally = await sendUntil(calls(), (sent) => sent >= 300 && back !== undefined);
    await returned;
    assert.deepEqual(tally.failures.slice(0, 5), [], mesh.log());
    assert.equal(readFileSync(rootCert, 'utf8'), rootBefore);

    await mesh.apply(answerInstead(418));
    const after = await send(throughClient(mesh), 5);
    assert.deepEqual([...after.counts], [['418', 5]]);
    await mesh.remove('rules.yaml');
  });

  it('the report has no gap: agents kept what their proxies told while it was away', async () => {
    const report = await mesh.gatehouse('audit', 'report', '--db', mesh.auditFile, '-o', 'json');
    assert.equal(report.code, 0, report.stderr);
    const { gaps }: { gaps: readonly unknown[] } = JSON.parse(report.stdout);
    assert.deepEqual(gaps, []);
  });
});
