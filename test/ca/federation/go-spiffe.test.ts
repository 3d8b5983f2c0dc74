// Gatehouse and go-spiffe federate with each other, both ways and by both profiles.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Context } from 'mocha';
import { startBundleEndpoint } from '../../../ca/federation/endpoint.ts';
import { fetchBundle } from '../../../ca/federation/fetch.ts';
import { parseSpiffeBundle } from '../../../ca/bundle/spiffe-bundle.ts';
import { systemEvery } from '../../../ca/tls/credentials.ts';
import { linesOf, type Program } from '../../sds/client-program.ts';
import { goProgram } from '../../tools/go-program.ts';
import { must } from '../identity/must.ts';
import { clock, type Domain, domain, urlOf } from './domain.ts';

/** The Go program beside this file, or the test skipped by name where there is no Go. */
function goSpiffe(test: Context, folder: string): Program {
  const cwd = join(import.meta.dirname, 'go-spiffe');
  return { command: goProgram(test, cwd, join(folder, 'go-spiffe-federation')), args: [], cwd };
}

describe('ca: federation with go-spiffe', function () {
  this.timeout(180_000);
  let folder: string;
  let program: Program;
  let theirs: Domain;
  let bundleFile: string;
  let web: { readonly cert: string; readonly key: string };

  before(async function () {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-federation-'));
    program = goSpiffe(this, folder);
    theirs = await domain('b.test');
    bundleFile = join(folder, 'bundle.json');
    writeFileSync(bundleFile, await theirs.bundle());
    web = { cert: join(folder, 'web.pem'), key: join(folder, 'web.key') };
    const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', web.key, '-out'];
    const names = ['-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    execFileSync('openssl', [...made, web.cert, ...names], { stdio: 'ignore' });
  });
  after(async () => {
    await theirs?.endpoint.close();
    await theirs?.world.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('its client takes our bundle, https_spiffe', async () => {
    const [bundle] = await linesOf(program, 'fetch-spiffe', 'b.test', urlOf(theirs), theirs.endpointId, bundleFile);
    assert.deepEqual(bundle, { event: 'bundle', domain: 'b.test', roots: 1, keys: 1, serials: 1, seconds: 1 });
    const other = 'spiffe://b.test/ns/shop/sa/cart';
    await assert.rejects(linesOf(program, 'fetch-spiffe', 'b.test', urlOf(theirs), other, bundleFile), /unexpected ID/);
  });

  it('its client takes our bundle, https_web', async () => {
    const endpoint = await startBundleEndpoint({
      host: '127.0.0.1',
      port: 0,
      bundle: theirs.bundle,
      certificate: () =>
        Promise.resolve({
          certPem: readFileSync(web.cert, 'utf8'),
          keyPem: readFileSync(web.key, 'utf8'),
          renewAt: new Date(8.64e15),
        }),
      clock,
      every: systemEvery,
      log: theirs.world.log,
    });
    try {
      const [bundle] = await linesOf(program, 'fetch-web', 'b.test', `https://localhost:${endpoint.port}/`, web.cert);
      assert.deepEqual(bundle, { event: 'bundle', domain: 'b.test', roots: 1, keys: 1, serials: 1, seconds: 1 });
    } finally {
      await endpoint.close();
    }
  });

  it('we take the bundle that its server publishes', async () => {
    const child = spawn(program.command, ['serve', 'b.test', bundleFile, web.cert, web.key], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const line = await new Promise<string>((resolve) => createInterface({ input: child.stdout }).once('line', resolve));
      const { local }: { readonly local: string } = JSON.parse(line);
      const fetched = await fetchBundle(`https://${local}/`, { kind: 'web', rootsPem: readFileSync(web.cert, 'utf8') });
      assert.ok(fetched.ok, fetched.ok ? '' : fetched.reason);
      const ours = must(parseSpiffeBundle(await theirs.bundle()));
      const { bundle } = fetched.value;
      assert.deepEqual(bundle.x509Authorities.map(String), ours.x509Authorities.map(String));
      assert.deepEqual([...bundle.jwtAuthorities.keys()], [...ours.jwtAuthorities.keys()]);
      assert.deepEqual([bundle.sequence, bundle.refreshHintSeconds], [ours.sequence, ours.refreshHintSeconds]);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
