import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FORMATS, printed } from '../../audit/document/print.ts';
import { printableWho, usageAddition } from '../../audit/grants/printable.ts';
import { type Mesh, usage } from '../../audit/grants/usage.ts';
import { whoOf } from '../../audit/grants/who.ts';
import { lineJudge } from '../../audit/observed/line-judge.ts';
import type { Edge } from '../../audit/model/edge.ts';
import type { AccessRecord } from '../../audit/model/record.ts';
import { printableReport } from '../../audit/report/printable.ts';
import { type Report, reportOf } from '../../audit/report/report.ts';
import { parseSpiffeId, type SpiffeId } from '../../ca/identity/spiffe-id.ts';
import { destinationsIn, identitiesIn } from '../../cli/policy/destinations.ts';
import { loadMesh } from '../../mesh/source/mesh.ts';
import { edge } from './edges.ts';
import { matchesGolden, orphans } from './golden.ts';
import { NOW } from './world.ts';

const SHOP = fileURLToPath(new URL('../../manifests/samples/shop', import.meta.url));
const AUTHOR = { preparedBy: 'Ada Auditor <ada@example.org>', version: '1.2.3', store: 'audit.db' };
const ENDINGS = { table: 'txt', json: 'json', csv: 'csv', markdown: 'md', html: 'html' } as const;

function account(name: string): SpiffeId {
  const parsed = parseSpiffeId(`spiffe://cluster.local/ns/shop/sa/${name}`);
  assert.ok(parsed.ok);
  return parsed.value;
}

function call(from: string, to: string, change: Partial<AccessRecord> = {}): Edge {
  return edge({
    source: { principal: account(from), workload: `shop/${from}`, address: '10.0.0.2' },
    destination: { principal: account(to), workload: `shop/${to}`, address: undefined },
    service: `${to}.shop.svc.cluster.local`,
    ...change,
  });
}

const by = (policy: string): Partial<AccessRecord> => ({ verdict: { kind: 'allowed-by-rule', by: { policy, rule: 0 } } });
const USER = { template: '/users/{id}' };
const DENIED = { verdict: { kind: 'denied-no-rule', policies: ['shop/users'] } } as const;
const CALLS: readonly Edge[] = [
  ...Array.from({ length: 7 }, () => call('mobile', 'users', { ...USER, ...by('shop/users') })),
  call('support', 'users', { ...USER, ...by('shop/users') }),
  call('website', 'users', { ...USER, ...DENIED }),
  call('rewards', 'users', { ...USER, ...DENIED }),
  call('support', 'users', { ...USER, method: 'DELETE', ...DENIED }),
  call('users', 'fraud', { template: '/scores/{id}', ...by('shop/fraud') }),
  call('mobile', 'fraud', { template: '/scores/{id}', verdict: { kind: 'allowed-no-policy' } }),
  call('mobile', 'fraud', {
    template: '/scores/{id}',
    mtls: false,
    source: { principal: undefined, workload: undefined, address: '10.9.9.9' },
    verdict: { kind: 'allowed-no-policy' },
  }),
  call('users', 'fraud', {
    reached: false,
    mtls: false,
    template: '/scores/{id}',
    destination: { principal: undefined, workload: undefined, address: undefined },
    verdict: { kind: 'unreached', cause: 'no_healthy_upstream' },
  }),
];
const ALL = { period: { since: undefined, until: undefined }, filter: {}, now: NOW };

function reported(edges: readonly Edge[]): Report {
  return reportOf({ edges, losses: [], gaps: [] }, ALL);
}

describe('audit: what policies grant against what was done', () => {
  let mesh: Mesh;
  let folder: string;
  after(() => rmSync(folder, { recursive: true }));
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-audit-grants-'));
    const { snapshot } = loadMesh({ paths: [SHOP] });
    mesh = { snapshot, destinations: destinationsIn(snapshot), identities: identitiesIn(snapshot) };
  });
  const found = (edges: readonly Edge[] = CALLS) => usage(reported(edges), mesh);
  const asked = (...names: readonly string[]) =>
    whoOf(
      reported(CALLS),
      mesh.destinations.filter(({ name }) => names.includes(name)),
      mesh,
    );

  for (const format of FORMATS) {
    it(`who may and who did call the users API and the fraud API, as ${format}`, () => {
      const printable = printableWho(asked('shop/users', 'shop/fraud'), reported(CALLS), AUTHOR);
      matchesGolden(`grants/who.${ENDINGS[format]}`, printed(printable, format));
    });
    it(`a report with the join, as ${format}`, () => {
      const printable = printableReport(reported(CALLS), AUTHOR, usageAddition(found()));
      matchesGolden(`grants/report.${ENDINGS[format]}`, printed(printable, format));
    });
  }
  it('has no golden file without a case', () => assert.deepEqual(orphans('grants'), []));

  it('tells calls that went through and would be refused, plain text among them', () => {
    assert.deepEqual(
      found().usedNotGranted.map(({ line: { key } }) => [key.sourceWorkload, key.destinationWorkload, key.mtls]),
      [
        ['', 'shop/fraud', false],
        ['shop/mobile', 'shop/fraud', true],
      ],
    );
  });

  it('tells calls that were denied and would be let through', () => {
    assert.deepEqual(
      found().deniedButGranted.map(({ line: { key } }) => key.sourceWorkload),
      ['shop/rewards'],
    );
  });

  it('tells grants that nobody used: a denied call is no use, nor is a call of somebody else', () => {
    const unused = (edges: readonly Edge[]) =>
      found(edges).grantedNotUsed.flatMap(({ destination, callerText }) =>
        destination === 'shop/users' ? [callerText.replace('cluster.local/ns/shop/sa/', '')] : [],
      );
    assert.deepEqual(unused(CALLS), ['rewards']);
    assert.deepEqual(unused([]), ['mobile', 'rewards', 'support']);
    assert.deepEqual(unused([call('support', 'users', { ...USER, ...by('shop/users') })]), ['mobile', 'rewards']);
  });

  it('knows for each who may how often it did', () => {
    const [users] = asked('shop/users');
    assert.deepEqual(
      users?.may?.map(({ callerText, use }) => [callerText.split('/').at(-1), use.calls]),
      [
        ['mobile', 7],
        ['rewards', 0],
        ['support', 1],
      ],
    );
    assert.deepEqual(
      users.did.map(({ workload, allowed, denied }) => [workload, allowed, denied]),
      [
        ['shop/mobile', 7, 0],
        ['shop/rewards', 0, 1],
        ['shop/support', 1, 1],
        ['shop/website', 0, 1],
      ],
    );
  });

  it('counts calls to a service that never arrived among those who did', () => {
    const [fraud] = asked('shop/fraud');
    assert.deepEqual(
      fraud?.did.map(({ workload, calls, unreached }) => [workload, calls, unreached]),
      [
        ['', 1, 0],
        ['shop/mobile', 1, 0],
        ['shop/users', 2, 1],
      ],
    );
  });

  it('makes nothing up that records do not have', () => {
    const policy = (rule: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: users, namespace: shop}
spec:
  selector: {matchLabels: {app: users}}
  template:
    metadata: {labels: {app: users}}
    spec: {serviceAccountName: users, containers: [{name: users, image: x, ports: [{containerPort: 8080}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: users, namespace: shop}
spec: {rules: [${rule}]}
`;
    const judgement = (rule: string, change: Partial<AccessRecord> = USER, more = ''): string => {
      const file = join(folder, 'mesh.yaml');
      writeFileSync(file, `${policy(rule)}${more}`);
      const { snapshot } = loadMesh({ paths: [file] });
      const judging = lineJudge(snapshot, new Map(destinationsIn(snapshot).map((one) => [one.name, one])));
      const answer = judging(call('mobile', 'users', change));
      return answer.kind === 'depends' ? `depends on ${answer.on.join()}` : answer.kind;
    };
    assert.equal(judgement('{to: [{operation: {paths: ["/users/*"]}}]}'), 'granted');
    assert.equal(judgement('{to: [{operation: {paths: ["/users/7"]}}]}'), 'depends on path');
    assert.equal(judgement('{to: [{operation: {paths: ["/users/7"]}}]}', { template: '/users' }), 'not-granted');
    assert.equal(judgement('{when: [{key: "request.headers[x-a]", values: [b]}]}'), 'depends on request.headers[x-a]');
    // Without a RequestAuthentication its proxy verifies no token.
    assert.equal(judgement('{from: [{source: {requestPrincipals: ["*"]}}]}'), 'not-granted');
    const tokens =
      '---\n{apiVersion: security.istio.io/v1, kind: RequestAuthentication, metadata: {name: t, namespace: shop}, spec: {jwtRules: [{issuer: i, jwksUri: "https://i"}]}}';
    assert.equal(judgement('{from: [{source: {requestPrincipals: ["*"]}}]}', USER, tokens), 'depends on token');
    assert.equal(
      judgement('{to: [{operation: {methods: [POST]}}], when: [{key: "request.headers[x-a]", values: [b]}]}'),
      'not-granted',
    );
    assert.equal(
      judgement('{}', { destination: { principal: undefined, workload: 'shop/gone', address: undefined } }),
      'unknown',
    );
    assert.equal(
      judgement('{}', { source: { principal: undefined, workload: 'shop/mobile', address: '10.0.0.2' } }),
      'not-granted',
    );
  });
});
