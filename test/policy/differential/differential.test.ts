import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { evaluate } from '../../../policy/evaluate/evaluate.ts';
import { type Issued, TestAuthority } from '../../audit/envoy/certificates.ts';
import { type Envoy, envoyPath, startEnvoy } from '../../audit/envoy/process.ts';
import { peerAuthentication, port, request, snapshot } from '../model.ts';
import { IDENTITIES, PORTS, type Sent, SINGLE, type World, requests, worlds } from './arbitrary.ts';
import { type Caller, HttpClient, callTcp } from './client.ts';
import { type Place, bootstrapOf } from './listeners.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);
const WORLDS = Number(process.env['GATEHOUSE_WORLDS'] ?? 100);
const PER_CALLER = 12;
// Addresses of this process alone, since Envoy must bind the ports that policies name.
const NET = `127.${64 + (process.pid % 128)}.${(process.pid >> 7) % 256}`;

interface Known extends Caller {
  readonly principal: string | undefined;
}

interface Expected {
  readonly decision: 'ALLOW' | 'DENY';
  readonly rule: string;
}

/** The name under which Envoy reports what `evaluate` decided. */
function expected(place: Place, caller: Known, sent: Sent | undefined): Expected {
  const lastHop = sent?.forwardedFor?.split(',').at(-1)?.trim();
  const verdict = evaluate(
    place.snapshot,
    request({
      source: { principal: caller.principal, ip: caller.address, remoteIp: lastHop },
      destination: {
        namespace: place.workload.namespace,
        labels: place.workload.labels,
        ip: place.address,
        port: port(place.port),
        protocol: place.protocol,
        sni: caller.certificate === undefined ? undefined : 'app.example',
      },
      http:
        sent === undefined
          ? {}
          : {
              method: sent.method,
              host: sent.host,
              path: sent.path,
              headers: new Map(sent.role === undefined ? [] : [['x-role', sent.role]]),
            },
    }),
  );
  const [namespace, name] = verdict.policy?.split('/') ?? [];
  const rule = verdict.rule === undefined ? '' : `ns[${namespace}]-policy[${name}]-rule[${verdict.rule}]`;
  return { decision: verdict.decision, rule };
}

function placesOf(all: readonly World[]): readonly Place[] {
  const workload = { namespace: 'shop', labels: { app: 'web' } };
  return all.flatMap(({ policies, meshConfig, strict }, index) => {
    const mine = snapshot({
      meshConfig,
      authorizationPolicies: policies,
      peerAuthentications: strict ? [peerAuthentication('shop', 'default', { mode: 'STRICT' })] : [],
    });
    const address = `${NET}.${index + 1}`;
    return (['HTTP', 'TCP'] as const).map((protocol): Place => {
      const number = protocol === 'HTTP' ? PORTS.http : PORTS.tcp;
      return { snapshot: mine, workload, protocol, address, port: number, permissive: !strict };
    });
  });
}

/** Envoy names none when nothing matched, and the guard when the peer's identity is in doubt; evaluate names no rule then. */
function ruleNamed(text: string): string {
  return text === 'none' || text === 'gatehouse-peer-identity' || text === '-' ? '' : text;
}

describe('policy, differential: evaluate and Envoy', () => {
  let envoy: Envoy | undefined;
  let folder: string | undefined;
  let callers: readonly Known[] = [];
  const places = placesOf(fc.sample(worlds, { seed: SEED, numRuns: WORLDS }));

  before(async function () {
    this.timeout(60_000);
    const path = envoyPath();
    if (path === undefined) {
      if (process.env['CI'] !== undefined) throw new Error('GATEHOUSE_ENVOY names no Envoy');
      this.skip();
    }
    process.stdout.write(`    seed ${SEED}; again: GATEHOUSE_SEED=${SEED} npm test -- --grep differential\n`);
    const authority = await TestAuthority.create();
    const certificates: readonly Issued[] = await Promise.all(IDENTITIES.map((uris) => authority.issue(...uris)));
    callers = [
      { certificate: undefined, address: '127.0.0.1', principal: undefined },
      ...certificates.map((certificate, index) => ({
        certificate,
        address: `127.0.0.${1 + (index % 5)}`,
        principal: IDENTITIES[index]?.join(','),
      })),
    ];
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-differential-'));
    const server = await authority.issue('spiffe://cluster.local/ns/shop/sa/server');
    envoy = await startEnvoy(path, bootstrapOf(places, server, authority.root), folder);
  });

  after(async () => {
    await envoy?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it('decide the same HTTP requests by the same rules', async function () {
    this.timeout(120_000);
    const differences: string[] = [];
    const counts = { ALLOW: 0, DENY: 0 };
    for (const [index, place] of places.entries()) {
      if (place.protocol !== 'HTTP') continue;
      const asked = fc.sample(requests, { seed: SEED + index, numRuns: PER_CALLER });
      await Promise.all(
        callers.map(async (caller) => {
          const client = new HttpClient(caller, { host: place.address, port: place.port });
          for (const sent of asked) {
            const want = expected(place, caller, sent);
            const got = await client.send(sent);
            counts[want.decision] += 1;
            if (got.decision === want.decision && ruleNamed(got.rule) === want.rule) continue;
            const { authorizationPolicies, meshConfig } = place.snapshot;
            differences.push(
              JSON.stringify({
                want,
                got,
                caller: caller.principal ?? null,
                from: caller.address,
                sent,
                meshConfig,
                authorizationPolicies,
              }),
            );
          }
          client.close();
        }),
      );
    }
    process.stdout.write(`    ${counts.ALLOW} allowed, ${counts.DENY} denied, ${differences.length} differ\n`);
    assert.deepEqual(differences.slice(0, 3), [], `${differences.length} differences; seed ${SEED}`);
    assert.ok(counts.ALLOW > WORLDS && counts.DENY > WORLDS, 'both answers must be tried');
  });

  it('decide the same TCP connections', async function () {
    this.timeout(120_000);
    const differences: string[] = [];
    const counts = { ALLOW: 0, DENY: 0 };
    const single = new Set(SINGLE.map((uris) => uris.join(',')));
    for (const place of places) {
      if (place.protocol !== 'TCP') continue;
      await Promise.all(
        callers
          .filter(({ principal }) => principal === undefined || single.has(principal))
          .map(async (caller) => {
            const want = expected(place, caller, undefined).decision;
            const got = await callTcp(caller, { host: place.address, port: place.port });
            counts[want] += 1;
            if (got === want) return;
            differences.push(
              JSON.stringify({ want, got, caller: caller.principal ?? null, policies: place.snapshot.authorizationPolicies }),
            );
          }),
      );
    }
    process.stdout.write(`    ${counts.ALLOW} allowed, ${counts.DENY} denied, ${differences.length} differ\n`);
    assert.deepEqual(differences.slice(0, 3), [], `${differences.length} differences; seed ${SEED}`);
  });
});
