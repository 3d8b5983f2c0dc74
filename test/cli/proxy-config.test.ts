import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLUSTER, ENDPOINTS, LISTENER, ROUTES, SECRET } from '../../xds/resource-set.ts';
import { eventually } from '../eventually.ts';
import { get } from '../feature/running-mesh.ts';
import { DeltaClient } from '../xds/stream/client.ts';
import { MAIN, MESH, RunningServe, serviceOf } from './running-serve.ts';

const RULE = (connections: number) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: users, namespace: shop}
spec: {host: users, trafficPolicy: {connectionPool: {tcp: {maxConnections: ${connections}}}}}
`;

interface Done {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function gatehouse(...args: readonly string[]): Promise<Done> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...MAIN, ...args], (error, out, err) =>
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err }),
    );
  });
}

describe('a running control plane, asked about its proxies', function () {
  this.timeout(60_000);
  let dir: string;
  let serve: RunningServe;
  let http: string;
  let web: DeltaClient;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-config-'));
    mkdirSync(join(dir, 'mesh'));
    writeFileSync(join(dir, 'mesh', 'mesh.yaml'), MESH + serviceOf('users'));
    writeFileSync(join(dir, 'mesh', 'rule.yaml'), RULE(1));
    serve = new RunningServe(join(dir, 'mesh'), dir, '--plaintext-xds', '127.0.0.1:0', '--allow-captures');
    ({ http } = await serve.ready());
    web = new DeltaClient(await serve.plaintextXds());
    for (const [type, names] of [
      [CLUSTER, []],
      [ENDPOINTS, ['outbound|80||web.shop.svc.cluster.local']],
      [LISTENER, []],
      [ROUTES, ['80']],
      [SECRET, ['ROOTCA']],
    ] as const) {
      web.ask(type, names);
      // What it shares with others and its own come apart.
      for (let answered = false; !answered;) {
        const response = await web.next();
        web.answer(response);
        answered = response.typeUrl === type;
      }
    }
  });
  after(async () => {
    web.close();
    await serve.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('prints what a proxy was told, in tables', async () => {
    const { code, out, err } = await gatehouse('proxy', 'config', 'shop/web-1', '--http', http);
    assert.equal(code, 0, err);
    assert.match(out, /^CLUSTERS\nSERVICE FQDN +PORT +SUBSET +DIRECTION +TYPE +STATE$/m);
    assert.match(out, /^users\.shop\.svc\.cluster\.local +80 +- +outbound +EDS +acknowledged$/m);
    assert.match(out, /^LISTENERS\n/m);
    assert.match(out, /^10\.0\.0\.5:8080 +HEALTHY +1 .*outbound\|80\|\|web\.shop\.svc\.cluster\.local +acknowledged$/m);
    assert.match(out, /^ROOTCA +trust bundle +[0-9a-f]{32} +acknowledged$/m);
  });

  it('prints one kind, narrowed by name, as JSON', async () => {
    const { code, out } = await gatehouse(
      'proxy',
      'config',
      'shop/web-1',
      'clusters',
      '--name',
      'users',
      '--http',
      http,
      '-o',
      'json',
    );
    assert.equal(code, 0);
    const { resources }: { readonly resources: readonly { readonly name: string; readonly resource: unknown }[] } =
      JSON.parse(out);
    assert.deepEqual(
      resources.map(({ name }) => name),
      ['outbound|80||users.shop.svc.cluster.local'],
    );
    assert.match(JSON.stringify(resources), /"maxConnections":1\b/);
    assert.ok(!/PRIVATE KEY/.test(out));
  });

  it('says what to do about a pod that is not there, or no pod', async () => {
    const nobody = await gatehouse('proxy', 'config', 'shop/nobody', '--http', http);
    assert.equal(nobody.code, 1);
    assert.match(nobody.err, /no proxy of pod shop\/nobody is connected \(connected are shop\/web-1\)/);
    const wrong = await gatehouse('proxy', 'config', 'web-1', '--http', http);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /web-1 is no NAMESPACE\/POD/);
  });

  it('names the object behind a rejected resource, and how far each object has come', async () => {
    writeFileSync(join(dir, 'mesh', 'rule.yaml'), RULE(2));
    const changed = await web.next();
    assert.deepEqual(
      changed.resources.map(({ name }) => name),
      ['outbound|80||users.shop.svc.cluster.local'],
    );
    const lagging = await gatehouse('proxy', 'status', '--objects', '--http', http);
    assert.equal(lagging.code, 1);
    assert.match(lagging.out, /^DestinationRule shop\/users +\S+rule\.yaml:\d+ +0 of 1 +web-1\.shop +-$/m);
    web.answer(changed, 'Error adding/updating cluster(s): \u001b[31mtoo few');
    await eventually('the refusal is known', async () =>
      (await get(http, '/debug/syncz')).body.includes('too few') ? true : undefined,
    );
    const status = await gatehouse('proxy', 'status', '--http', http);
    assert.equal(status.code, 1);
    assert.match(status.out, /^web-1\.shop +none \(plain text\) +delta .*in sync +REJECTED 1 /m);
    assert.match(status.out, /CDS outbound\|80\|\|users\.shop\.svc\.cluster\.local: Error .*\?\[31mtoo few/);
    assert.match(status.out, /caused by DestinationRule shop\/users \(\S+rule\.yaml:\d+\)/);
    const objects = await gatehouse('proxy', 'status', '--objects', '--http', http);
    assert.match(objects.out, /^DestinationRule shop\/users +\S+ +0 of 1 +- +web-1\.shop$/m);
    const config = await gatehouse('proxy', 'config', 'shop/web-1', 'clusters', '--http', http);
    assert.equal(config.code, 1);
    assert.match(config.out, /^users\.shop\.svc\.cluster\.local .*rejected$/m);

    writeFileSync(join(dir, 'mesh', 'rule.yaml'), RULE(3));
    web.answer(await web.next());
    await eventually('it is accepted', async () =>
      (await get(http, '/debug/syncz')).body.includes('"rejected":[]') ? true : undefined,
    );
    const well = await gatehouse('proxy', 'status', '--objects', '--http', http);
    assert.equal(well.code, 0, well.out);
    assert.match(well.out, /Every object is applied on every proxy/);
  });

  it('counts pushes, answers and how long proxies took', async () => {
    const { body } = await get(http, '/metrics');
    assert.match(body, /^gatehouse_xds_pushes_total\{type="CDS",variant="delta"\} [3-9]$/m);
    assert.match(body, /^gatehouse_xds_sent_bytes_total\{type="EDS",variant="delta"\} [1-9]\d+$/m);
    assert.match(body, /^gatehouse_xds_nacks_total\{type="CDS",variant="delta"\} 1$/m);
    assert.match(body, /^gatehouse_xds_convergence_seconds_count 2$/m);
    assert.match(body, /^gatehouse_snapshot_timestamp_seconds \d+/m);
    assert.match(body, /^nodejs_eventloop_lag_p99_seconds /m);
  });

  it('takes a CPU profile and a heap snapshot, for its owner only', async () => {
    const cpu = await gatehouse('debug', 'profile', '--seconds', '0.2', '--http', http);
    assert.equal(cpu.code, 0, cpu.err);
    const profile: { readonly nodes: readonly unknown[] } = JSON.parse(readFileSync(cpu.out.trim(), 'utf8'));
    assert.ok(profile.nodes.length > 0);
    const heap = await gatehouse('debug', 'heap', '--http', http);
    assert.equal(heap.code, 0, heap.err);
    assert.match(heap.out, /\.heapsnapshot\n$/);
    assert.equal(statSync(heap.out.trim()).mode & 0o777, 0o600);
    assert.ok(statSync(heap.out.trim()).size > 1_000_000);
    assert.equal((await gatehouse('debug', 'profile', '--seconds', '0', '--http', http)).code, 2);
    assert.notEqual((await get(http, '/debug/profile')).status, 200, 'only POST');
  });
});
