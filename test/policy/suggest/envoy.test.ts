import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { templateOf } from '../../../audit/intake/path-template.ts';
import { normalizedPath } from '../../../policy/evaluate/path.ts';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import { suggest } from '../../../policy/suggest/suggest.ts';
import { DESTINATION } from '../access/destination.ts';
import type { World } from '../differential/policies.ts';
import { CERTIFICATES, PORTS } from '../differential/pools.ts';
import { type Sent, requests } from '../differential/requests.ts';
import { roundsInEnvoy } from '../differential/in-envoy.ts';
import { MESH_CONFIG, meta, port, snapshot } from '../model.ts';
import { admitted } from './admitted.ts';
import { NOW, randomOf } from './generated.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261122);
const WORLDS = Number(process.env['GATEHOUSE_WORLDS'] ?? 20);
const REQUESTS = 24;

const CALLERS = CERTIFICATES.flatMap(({ uris = [] }) => (uris.length === 1 ? uris : []));
const MODES = ['NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES'] as const;

function called(principal: string, fields: Partial<ObservedCall>): ObservedCall {
  return {
    principal,
    address: undefined,
    caller: undefined,
    destination: DESTINATION.name,
    service: undefined,
    port: port(PORTS.http),
    protocol: 'HTTP',
    method: 'GET',
    path: '/',
    mtls: true,
    decision: 'ALLOW',
    denied: undefined,
    wouldDeny: [],
    count: 1,
    firstSeen: NOW - 1000,
    lastSeen: NOW,
    days: 1,
    ...fields,
  };
}

const KNOWN_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'CONNECT',
]);

/** As the intake would have recorded it. */
function recorded(principal: string, { method, target }: Sent, mode: (typeof MODES)[number]): ObservedCall {
  const path = normalizedPath(target.replace(/^https?:\/\/[^/]*/, ''), mode);
  return called(principal, { method: KNOWN_METHODS.has(method) ? method : 'OTHER', path: templateOf(path) });
}

/** The mesh of the differential test, with what is suggested for a few calls as its only policies. */
function worldOf(number: number): World {
  const random = randomOf(number);
  const mode = MODES[number % MODES.length] ?? 'BASE';
  const sent = fc.sample(requests, { seed: number, numRuns: 30 });
  const calls = sent.flatMap((one): readonly ObservedCall[] => {
    const principal = CALLERS[Math.floor(random() * CALLERS.length)] ?? '';
    if (random() < 0.1)
      return [called(principal, { protocol: 'TCP', port: port(PORTS.tcp), method: undefined, path: undefined })];
    return [recorded(principal, one, mode)];
  });
  const meshConfig = { ...MESH_CONFIG, trustDomainAliases: number % 3 === 0 ? ['old.mesh'] : [], pathNormalization: mode };
  const workload = {
    meta: meta('Deployment', 'shop', 'web'),
    namespace: 'shop',
    name: 'web',
    serviceAccount: 'web',
    labels: DESTINATION.labels,
    ports: [],
    image: undefined,
    replicas: 1,
    instances: [],
  };
  const suggestion = suggest({
    snapshot: snapshot({ workloads: [workload], meshConfig }),
    destinations: [DESTINATION],
    calls,
    by: 'workload',
    now: NOW,
  });
  return { policies: admitted(suggestion), authentications: [], meshConfig, strict: false, lax: false, dualStack: false };
}

describe('policy, suggestion in Envoy', () => {
  const decided = roundsInEnvoy(SEED, 'suggestion in Envoy');

  it('what is suggested means there what the evaluator says', async function () {
    this.timeout(120_000);
    const { counts, differences } = await decided({
      worlds: WORLDS,
      requests: REQUESTS,
      draw: fc.integer({ min: 1, max: 1_000_000 }).map(worldOf),
    });
    const { decisions, allowed, denied } = counts;
    process.stdout.write(`    ${decisions} decisions: ${allowed} allowed, ${denied} denied; ${differences.length} differ\n`);
    assert.deepEqual(differences.slice(0, 3), [], `${differences.length} differences; seed ${SEED}`);
    assert.ok(allowed > WORLDS * 5 && denied > WORLDS * 50, 'both answers must be tried');
  });
});
