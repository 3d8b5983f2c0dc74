import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuthorizationPolicy } from '../../../mesh/model/authorization-policy.ts';
import { valueOf } from '../../../policy/evaluate/text.ts';
import type { Issued } from '../../audit/envoy/certificates.ts';
import { type Envoy, envoyOrSkip, startEnvoy } from '../../audit/envoy/process.ts';
import { given, policy, rule, snapshot, source } from '../model.ts';
import { type CarelessAuthority, type Names, carelessAuthority } from './certificates.ts';
import { HttpClient, callTcp } from './client.ts';
import { type Place, bootstrapOf } from './listeners.ts';

const NET = `127.${64 + (process.pid % 128)}.${(process.pid >> 7) % 256}`;
const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const GUEST = 'spiffe://cluster.local/ns/guest/sa/guest';
const SENT = { method: 'GET', path: '/', host: 'app.example', role: undefined, forwardedFor: undefined };

const principals = (...values: readonly string[]): AuthorizationPolicy['rules'] => [
  rule({ from: [source({ principals: given(values.map(valueOf)) })] }),
];

/** Policies under which a caller whose identity is in doubt could slip through, were it not for the guard. */
const SETS: Readonly<Record<string, readonly AuthorizationPolicy[]>> = {
  'ALLOW one principal': [policy('shop', 'web', { rules: principals('cluster.local/ns/shop/sa/web') })],
  'ALLOW any principal': [policy('shop', 'any', { rules: principals('*') })],
  'DENY one namespace': [
    policy('shop', 'guests', { action: 'DENY', rules: [rule({ from: [source({ namespaces: given([valueOf('guest')]) })] })] }),
  ],
  'ALLOW others than one principal': [
    policy('shop', 'but', {
      rules: [rule({ from: [source({ principals: given([], [valueOf('cluster.local/ns/guest/sa/guest')]) })] })],
    }),
  ],
};

const DOUBTFUL: Readonly<Record<string, Names>> = {
  'two SPIFFE IDs': { uris: [WEB, GUEST] },
  'two SPIFFE IDs, the other way round': { uris: [GUEST, WEB] },
  'one URI that holds two': { uris: [`${GUEST},${WEB}`] },
  'a URI that is no SPIFFE ID': { uris: ['https://cluster.local/ns/shop/sa/web'] },
  'a SPIFFE ID in upper case': { uris: [WEB.replace('spiffe', 'SPIFFE')] },
  'a DNS name only': { dns: ['cluster.local'] },
  'a subject only': { subject: 'CN=cluster.local/ns/shop/sa/web' },
  'a subject that looks like a SPIFFE ID': { subject: `CN=${WEB}` },
};

describe('policy, peers in doubt', () => {
  let envoy: Envoy | undefined;
  let authority: CarelessAuthority | undefined;
  let folder: string | undefined;
  const places = Object.values(SETS).flatMap((policies, index): readonly Place[] => {
    const common = {
      snapshot: snapshot({ authorizationPolicies: policies }),
      workload: { namespace: 'shop', labels: {} },
      address: `${NET}.${index + 230}`,
      permissive: true,
      anonymous: true,
    };
    return [
      { ...common, protocol: 'HTTP', port: 8080 },
      { ...common, protocol: 'TCP', port: 9090 },
    ];
  });

  before(async function () {
    this.timeout(60_000);
    const path = envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-doubtful-'));
    authority = await carelessAuthority();
    envoy = await startEnvoy(path, bootstrapOf(places, await authority.issue({ uris: [WEB] }), authority.root), folder);
  });

  after(async () => {
    await envoy?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  async function answers(
    certificate: Issued | 'anonymous' | undefined,
  ): Promise<Readonly<Record<string, readonly [string, string]>>> {
    const found: Record<string, readonly [string, string]> = {};
    for (const [index, name] of Object.keys(SETS).entries()) {
      const caller = { certificate, address: '127.0.0.1' };
      const host = `${NET}.${index + 230}`;
      const client = new HttpClient(caller, { host, port: 8080 });
      found[name] = [(await client.send(SENT)).decision, await callTcp(caller, { host, port: 9090 })];
      client.close();
    }
    return found;
  }

  const all = (decision: string): Readonly<Record<string, readonly [string, string]>> =>
    Object.fromEntries(Object.keys(SETS).map((name) => [name, [decision, decision] as const]));

  it('let the one identity in that is in no doubt', async () => {
    assert.deepEqual(await answers(await authority?.issue({ uris: [WEB] })), all('ALLOW'));
  });

  for (const certificate of ['anonymous', undefined] as const) {
    it(`take a caller without a certificate for nobody, ${certificate === undefined ? 'in plain text' : 'over TLS'}`, async () => {
      assert.deepEqual(await answers(certificate), {
        ...all('DENY'),
        'DENY one namespace': ['ALLOW', 'ALLOW'],
        'ALLOW others than one principal': ['ALLOW', 'ALLOW'],
      });
    });
  }

  for (const [name, names] of Object.entries(DOUBTFUL)) {
    it(`refuse ${name}`, async () => {
      const found = await answers(await authority?.issue(names));
      for (const [set, [http, tcp]] of Object.entries(found)) {
        assert.equal(http, 'DENY', `HTTP, ${set}`);
        assert.equal(tcp, 'DENY', `TCP, ${set}`);
      }
    });
  }
});
