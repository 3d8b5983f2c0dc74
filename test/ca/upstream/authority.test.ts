import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { get, root } from '../../feature/running-mesh.ts';
import { findTool } from '../../tools/find.ts';
import { requestPem, testKey } from '../requests.ts';
import { connect, createCertificate, serve } from '../service/client.ts';
import { temporaryFolder, world, type World } from '../world.ts';
import { type RunningUpstream, startStep } from './servers.ts';

describe('ca: an authority under step-ca', function () {
  this.timeout(60_000);
  let home: World;
  let server: RunningUpstream;
  const temporary = temporaryFolder();
  before(async function () {
    this.timeout(900_000);
    const program = findTool('step-ca');
    if (program === undefined) return this.skip();
    server = await startStep(program, temporary.path);
    home = await world();
  });
  after(async () => {
    await (home as World | undefined)?.close();
    await (server as RunningUpstream | undefined)?.stop();
    temporary.remove();
  });

  it('issues without a gap while its intermediate is renewed, and while the upstream is gone', async () => {
    const authority = await home.open({ upstream: { upstream: server.upstream, ttlSeconds: 14 } });
    const rootsPem = authority.rootCertPem;
    const service = await serve(home, authority);
    const token = await home.tokens.token();
    const intermediates = new Set<string>();
    let first: { readonly client: ReturnType<typeof connect>; readonly notAfter: Date } | undefined;
    let ends = Date.now() + 12_000;
    const client = connect(service.port, { rootsPem });
    let stopped = false;
    while (Date.now() < ends && (authority.upstream()?.failures ?? 0) < 2) {
      const answer = await createCertificate(client, { csr: requestPem(), token });
      assert.ok(answer.ok, answer.ok ? '' : answer.error.details);
      const [leaf = '', intermediate = ''] = answer.certChain;
      const [own, above] = [new X509Certificate(leaf), new X509Certificate(intermediate)];
      assert.ok(own.verify(above.publicKey) && own.validToDate <= above.validToDate);
      intermediates.add(above.fingerprint256);
      assert.equal(answer.certChain.at(-1), rootsPem);
      if (first === undefined) {
        const keyPem = testKey('P-256').export({ type: 'pkcs8', format: 'pem' }).toString();
        const certPem = answer.certChain.slice(0, -1).join('');
        first = { client: connect(service.port, { rootsPem, certPem, keyPem }), notAfter: own.validToDate };
      } else if (intermediates.size === 2 && !stopped && Date.now() < first.notAfter.getTime() - 500) {
        // A workload with a certificate of the intermediate before renews with nothing but that.
        const renewed = await createCertificate(first.client, { csr: requestPem() });
        assert.ok(renewed.ok, renewed.ok ? '' : renewed.error.details);
        await server.stop();
        stopped = true;
        ends = above.validToDate.getTime() - 1_000;
      }
      await pause(50);
    }
    assert.ok(stopped, 'a renewal was seen in time');
    assert.ok((authority.upstream()?.failures ?? 0) > 0);
    assert.ok(home.lines.some(({ msg }) => String(msg).includes('the present one serves until it ends')));
    first?.client.close();
    client.close();
    service.close();
    await authority.close();
  });

  it('is what gatehouse serve runs with --upstream: ready, with metrics', async () => {
    const dir = temporary.path;
    mkdirSync(join(dir, 'mesh'));
    writeFileSync(join(dir, 'mesh', 'a.yaml'), 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n');
    const again = await startStep(findTool('step-ca') ?? '', join(dir, 'mesh', '..'));
    const child = spawn(
      process.execPath,
      [
        ...['--disable-warning=ExperimentalWarning', join(root, 'dist', 'cli', 'main.js'), 'serve', '-f', join(dir, 'mesh')],
        ...['--ca-dir', join(dir, 'ca'), '--audit-db', join(dir, 'audit.db')],
        ...['--grpc-address', '127.0.0.1:0', '--http-address', '127.0.0.1:0'],
        ...['--upstream', `step=${again.url.href}`, '--upstream-credential', again.secretFile],
        ...['--upstream-roots', again.rootsFile, '--upstream-ttl', '720h'],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      for await (const line of createInterface({ input: child.stdout })) {
        const { http }: { http: string } = JSON.parse(line);
        const { body } = await get(http, '/metrics');
        assert.match(body, /^gatehouse_upstream_failed_renewals 0$/m);
        const [, ends] = /^gatehouse_intermediate_expiry_timestamp_seconds (\S+)$/m.exec(body) ?? [];
        const days = (Number(ends) * 1000 - Date.now()) / (24 * 3600_000);
        assert.ok(days > 29 && days < 31, String(days));
        break;
      }
      const issuing = new X509Certificate(readFileSync(join(dir, 'ca', 'ca-cert.pem')));
      assert.equal(issuing.subjectAltName, 'URI:spiffe://cluster.local');
      assert.equal(readFileSync(join(dir, 'ca', 'root-cert.pem'), 'utf8').trim(), readFileSync(again.rootsFile, 'utf8').trim());
    } finally {
      child.kill('SIGKILL');
      await again.stop();
    }
  });
});
