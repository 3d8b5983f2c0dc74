// Revoked identities and certificates through the real Envoy, with and without policies, a few and thousands.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RevokedPeers } from '../../../ca/revocation/list.ts';
import { parseIdentity, parseSerial } from '../../../ca/revocation/revocation.ts';
import { valueOf } from '../../../policy/evaluate/text.ts';
import { type Issued, TestAuthority } from '../../audit/envoy/certificates.ts';
import { type Envoy, envoyOrSkip, startEnvoy } from '../../audit/envoy/process.ts';
import { must } from '../../ca/identity/must.ts';
import { given, policy, rule, snapshot, source } from '../model.ts';
import { callTcp, HttpClient } from './client.ts';
import { bootstrapOf, type Place } from './listeners.ts';

const NET = `127.${64 + (process.pid % 128)}.${(process.pid >> 7) % 256}`;
const SENT = { method: 'GET', path: '/', host: 'app.example', role: undefined, forwardedFor: undefined };
const account = (name: string): string => `cluster.local/ns/shop/sa/${name}`;
const identity = (name: string) => must(parseIdentity(account(name)));
const serialOf = ({ cert }: Issued) => must(parseSerial(new X509Certificate(cert).serialNumber));

describe('policy, revoked peers', () => {
  let envoy: Envoy | undefined;
  let folder: string | undefined;
  const callers: Record<string, Issued> = {};
  const address = `${NET}.249`;
  const open = snapshot({});
  const allowing = snapshot({
    authorizationPolicies: [
      policy('shop', 'cart', { rules: [rule({ from: [source({ principals: given([valueOf(account('cart'))]) })] })] }),
    ],
  });

  before('start Envoy', async function () {
    this.timeout(60_000);
    const path = envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-revoked-'));
    const authority = await TestAuthority.create();
    for (const name of ['cart', 'carts', 'web']) callers[name] = await authority.issue(`spiffe://${account(name)}`);
    callers['web again'] = await authority.issue(`spiffe://${account('web')}`);
    const few: RevokedPeers = { identities: [identity('cart')], serials: [serialOf(issuedTo('web'))] };
    const many: RevokedPeers = {
      identities: [identity('cart'), ...Array.from({ length: 5000 }, (_, index) => identity(`s-${index}`))].sort(),
      serials: [
        serialOf(issuedTo('web')),
        ...Array.from({ length: 5000 }, (_, index) =>
          must(parseSerial((0x4000_0000_0000 + index * 7919).toString(16).repeat(2))),
        ),
      ].sort(),
    };
    const place = (port: number, protocol: 'HTTP' | 'TCP', mesh: typeof open, revoked: RevokedPeers): Place => ({
      snapshot: mesh,
      workload: { namespace: 'shop', labels: {} },
      address,
      permissive: true,
      port,
      protocol,
      revoked,
    });
    const places = [
      place(8080, 'HTTP', open, few),
      place(8081, 'HTTP', allowing, few),
      place(8082, 'HTTP', open, many),
      place(9090, 'TCP', open, few),
      place(9092, 'TCP', open, many),
    ];
    const server = await authority.issue(`spiffe://${account('server')}`);
    envoy = await startEnvoy(path, bootstrapOf(places, server, authority.root), folder);
  });
  after(async () => {
    await envoy?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  function issuedTo(name: string): Issued {
    const found = callers[name];
    assert.ok(found, name);
    return found;
  }
  const http = async (port: number, name: string | undefined): Promise<string> => {
    const certificate = name === undefined ? undefined : issuedTo(name);
    const client = new HttpClient({ certificate, address: '127.0.0.1' }, { host: address, port });
    const answer = await client.send(SENT);
    client.close();
    return answer.decision === 'DENY' ? answer.rule : answer.decision;
  };
  const tcp = (port: number, name: string): Promise<string> =>
    callTcp({ certificate: issuedTo(name), address: '127.0.0.1' }, { host: address, port });

  it('by identity and by serial, on HTTP; others and plain text pass', async () => {
    for (const port of [8080, 8082]) {
      assert.equal(await http(port, 'cart'), 'gatehouse-revoked');
      assert.equal(await http(port, 'web'), 'gatehouse-revoked');
      assert.equal(await http(port, 'web again'), 'ALLOW');
      assert.equal(await http(port, 'carts'), 'ALLOW');
      assert.equal(await http(port, undefined), 'ALLOW');
    }
  });

  it('before what a policy allows', async () => {
    assert.equal(await http(8081, 'cart'), 'gatehouse-revoked');
    assert.equal(await http(8081, 'web'), 'gatehouse-revoked');
    assert.equal(await http(8081, 'web again'), 'none');
  });

  it('by identity and by serial, on TCP', async () => {
    for (const port of [9090, 9092]) {
      assert.equal(await tcp(port, 'cart'), 'DENY');
      assert.equal(await tcp(port, 'web'), 'DENY');
      assert.equal(await tcp(port, 'web again'), 'ALLOW');
      assert.equal(await tcp(port, 'carts'), 'ALLOW');
    }
  });
});
