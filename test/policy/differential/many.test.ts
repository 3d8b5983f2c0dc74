import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { valueOf } from '../../../policy/evaluate/text.ts';
import { TestAuthority } from '../../audit/envoy/certificates.ts';
import { type Envoy, envoyOrSkip, envoyPath, startEnvoy } from '../../audit/envoy/process.ts';
import { given, policy, rule, snapshot, source } from '../model.ts';
import { HttpClient, callTcp } from './client.ts';
import { bootstrapOf } from './listeners.ts';

const NET = `127.${64 + (process.pid % 128)}.${(process.pid >> 7) % 256}`;
const WORKLOAD = { namespace: 'shop', labels: {} };
const SENT = { method: 'GET', path: '/', host: 'app.example', role: undefined, forwardedFor: undefined };

function account(index: number): string {
  return `cluster.local/ns/team-${index % 97}-${(index * 7919) % 1009}/sa/service-${index}`;
}

describe('policy, many principals', () => {
  let envoy: Envoy | undefined;
  let folder: string | undefined;
  const address = `${NET}.250`;
  const many = Array.from({ length: 5000 }, (_, index) => valueOf(account(index)));
  const wild = Array.from({ length: 1000 }, (_, index) =>
    valueOf(index % 2 === 0 ? `${account(index)}-*` : `*/ns/x${index}/sa/${index}`),
  );
  const mesh = snapshot({
    authorizationPolicies: [
      policy('shop', 'many', {
        rules: [rule({ from: [source({ principals: given(many) })] }), rule({ from: [source({ principals: given(wild) })] })],
      }),
    ],
  });

  before(async function () {
    this.timeout(60_000);
    envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-many-'));
  });

  after(async () => {
    await envoy?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it('fit in the expressions that Envoy compiles, and decide', async function () {
    this.timeout(60_000);
    const authority = await TestAuthority.create();
    const server = await authority.issue('spiffe://cluster.local/ns/shop/sa/server');
    const common = { snapshot: mesh, workload: WORKLOAD, address, permissive: false };
    const places = [
      { ...common, protocol: 'HTTP' as const, port: 8080 },
      { ...common, protocol: 'TCP' as const, port: 9090 },
    ];
    envoy = await startEnvoy(envoyPath() ?? '', bootstrapOf(places, server, authority.root), folder ?? '');
    for (const [name, wanted] of [
      [account(0), 'ALLOW'],
      [account(2500), 'ALLOW'],
      [account(4999), 'ALLOW'],
      [`${account(998)}-9`, 'ALLOW'],
      ['cluster.local/ns/x999/sa/999', 'ALLOW'],
      [`${account(0)}0`, 'DENY'],
      ['cluster.local/ns/x998/sa/998', 'DENY'],
    ] as const) {
      const caller = { certificate: await authority.issue(`spiffe://${name}`), address: '127.0.0.1' };
      const client = new HttpClient(caller, { host: address, port: 8080 });
      assert.equal((await client.send(SENT)).decision, wanted, name);
      client.close();
      assert.equal(await callTcp(caller, { host: address, port: 9090 }), wanted, name);
    }
  });
});
