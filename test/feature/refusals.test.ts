// What the mesh refuses: plain text to a strict workload, a certificate of another root, and bad configuration.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { eventually } from '../eventually.ts';
import { inBothCaptureModes } from './capture-modes.ts';
import { foreignCertificate } from './foreign-certificate.ts';
import { send } from './load.ts';
import { meshCertificate } from './mesh-certificate.ts';
import { answerInstead, startPair, throughClient } from './pair.ts';
import { get, type RunningMesh } from './running-mesh.ts';

/** One request over TLS with a certificate of our own making; what came back, or why nothing did. */
function askOverTls(host: string, port: number, certificate?: { cert: string; key: string }): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connectTls(
      { host, port, ...certificate, rejectUnauthorized: false, ALPNProtocols: ['istio-http/1.1', 'istio'] },
      () => socket.write('GET / HTTP/1.1\r\nhost: server\r\nconnection: close\r\n\r\n'),
    );
    socket.setTimeout(5_000, () => socket.destroy(new Error('timeout')));
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    socket.on('error', (error) => resolve(`refused: ${error.message}`));
    socket.on('close', () => resolve(received === '' ? 'refused: closed' : received));
  });
}

inBothCaptureModes('refusals', (capture) => {
  let mesh: RunningMesh;
  before('start a pair', async () => {
    mesh = await startPair(capture);
  });
  after(() => mesh?.stop());

  it('plain text to a STRICT workload is refused, and let in once it is PERMISSIVE', async () => {
    const { ip } = mesh.workload('pair/server');
    await assert.rejects(get(`${ip}:8080`, '/', { connection: 'close' }));
    const file = join(mesh.dir, 'pair', 'pair.yaml');
    const strict = readFileSync(file, 'utf8');
    await mesh.change(() => writeFileSync(file, strict.replace('mode: STRICT', 'mode: PERMISSIVE')));
    const plain = await eventually('plain text to be let in', () =>
      get(`${ip}:8080`, '/', { connection: 'close' }).catch(() => undefined),
    );
    assert.equal(plain.status, 200);
    await mesh.change(() => writeFileSync(file, strict));
    await eventually('plain text to be refused again', () =>
      get(`${ip}:8080`, '/', { connection: 'close' }).then(
        () => undefined,
        () => true,
      ),
    );
    const still = await send(throughClient(mesh), 5);
    assert.deepEqual([...still.counts], [['200', 5]]);
  });

  it('a certificate of another root is refused, and so is none; one of the mesh is let in', async () => {
    const { ip } = mesh.workload('pair/server');
    const own = await meshCertificate(mesh, 'pair', 'client', mesh.workload('pair/client').pod);
    assert.match(await askOverTls(ip, 8080, own), /^HTTP\/1\.1 200 /);
    const foreign = await foreignCertificate('spiffe://cluster.local/ns/pair/sa/client');
    assert.match(await askOverTls(ip, 8080, foreign), /^refused: /);
    assert.match(await askOverTls(ip, 8080), /^refused: /);
  });

  it('a bad file keeps the last good state of its objects, and is told of', async () => {
    const good = answerInstead(418);
    await mesh.apply(good);
    assert.deepEqual([...(await send(throughClient(mesh), 3)).counts], [['418', 3]]);
    for (const bad of [
      good.replace('directResponse', 'directRespons'),
      good.replace('spec:', 'spec: ['),
      good.replace('418', '"no"'),
    ]) {
      await mesh.apply(bad);
      assert.deepEqual([...(await send(throughClient(mesh), 3)).counts], [['418', 3]], bad);
    }
    assert.match(mesh.log(), /rules\.yaml/);
    await mesh.remove('rules.yaml');
    assert.deepEqual([...(await send(throughClient(mesh), 3)).counts], [['200', 3]]);
  });

  it('create, replace, apply, delete and get work on the running mesh', async () => {
    const rule = join(mesh.ready.runDir, 'rule.yaml');
    const run = async (command: readonly string[], code: number): Promise<string> => {
      const outcome = await mesh.gatehouse(...command, '--dir', mesh.dir);
      assert.equal(outcome.code, code, `${command.join(' ')}: ${outcome.stderr}`);
      await mesh.settled();
      return outcome.stdout + outcome.stderr;
    };
    const seen = async (): Promise<readonly (readonly [string, number])[]> => [...(await send(throughClient(mesh), 3)).counts];
    writeFileSync(rule, answerInstead(418));
    await run(['replace', '-f', rule], 1);
    await run(['create', '-f', rule], 0);
    assert.deepEqual(await seen(), [['418', 3]]);
    assert.match(await run(['create', '-f', rule], 1), /exists/);
    writeFileSync(rule, answerInstead(429));
    await run(['replace', '-f', rule], 0);
    assert.deepEqual(await seen(), [['429', 3]]);
    writeFileSync(rule, answerInstead(451));
    assert.match(await run(['apply', '-f', rule], 0), /virtualservice\.networking\.istio\.io\/server configured/);
    assert.deepEqual(await seen(), [['451', 3]]);
    assert.match(await run(['get', 'virtualservice', '-n', 'pair', '-o', 'yaml'], 0), /status: 451/);
    await run(['delete', 'virtualservice', 'server', '-n', 'pair'], 0);
    assert.deepEqual(await seen(), [['200', 3]]);
  });
});
