import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { AuthorizationPolicy } from '../../../mesh/model/authorization-policy.ts';
import type { Diagnostic } from '../../../mesh/model/diagnostic.ts';
import { keyOf } from '../../../mesh/model/object.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Workload } from '../../../mesh/model/workload.ts';
import { policyDiagnostics } from '../../../policy/diagnose/policy-diagnostics.ts';
import { prepare } from '../../../policy/evaluate/evaluate.ts';
import type { Request } from '../../../policy/evaluate/request.ts';
import { PORTS } from '../differential/pools.ts';
import { type World, worlds } from '../differential/policies.ts';
import { meta, port, request, snapshot } from '../model.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);

const CALLERS: readonly string[] = [
  'spiffe://cluster.local/ns/shop/sa/web',
  'spiffe://cluster.local/ns/shop/sa/web2',
  'spiffe://cluster.local/ns/shop-x/sa/web',
  'spiffe://cluster.local/ns/ops/sa/root',
  'spiffe://old.mesh/ns/shop/sa/web',
  'spiffe://foreign.org/ns/shop/sa/web',
  'spiffe://cluster.local/k/v/ns/shop/k2/v2/sa/web/k3',
];

const texts = fc.constantFrom('admin', 'ADMIN', 'user', 'user,admin', '');

const requests: fc.Arbitrary<Request> = fc
  .record({
    principal: fc.constantFrom(undefined, ...CALLERS),
    ip: fc.constantFrom('127.0.0.1', '127.0.0.2', '10.1.2.3', '192.0.2.7', '2001:db8::1'),
    remoteIp: fc.constantFrom(undefined, '10.1.2.3', '192.0.2.7', '2001:db8::1'),
    tcp: fc.integer({ min: 0, max: 4 }).map((number) => number === 0),
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH'),
    path: fc.constantFrom(
      ...['/', '/a', '/a/b', '/admin', '/admin/', '/admin/x', '/adminx', '/ADMIN', '/admin?q=1', '/a.b', '/notes.txt', '/x'],
      ...['/store/1/cart', '/store/1/2/cart', '/store', '/store/', '//admin', '/a//b', '/a/../admin', '/admin%2Fx', '/?q=1'],
    ),
    host: fc.constantFrom('app.example', 'APP.example', 'app.example:8080', 'other.example', 'example', 'app.test'),
    role: fc.option(texts, { nil: undefined }),
    sni: fc.constantFrom(undefined, 'app.example', 'other.example'),
  })
  .map(({ principal, ip, remoteIp, tcp, method, path, host, role, sni }) =>
    request({
      source: { principal, ip, remoteIp },
      destination: {
        namespace: 'shop',
        labels: { app: 'web' },
        ip: '127.0.0.1',
        port: port(tcp ? PORTS.tcp : PORTS.http),
        protocol: tcp ? 'TCP' : 'HTTP',
        sni,
      },
      http: tcp ? {} : { method, host, path, headers: new Map(role === undefined ? [] : [['x-role', [role]]]) },
    }),
  );

function place(path: string | undefined): { readonly rule: number; readonly list?: 'from' | 'to'; readonly at?: number } {
  const [, rule = '', list, at] = /^spec\.rules\[(\d+)\](?:\.(from|to)\[(\d+)\]$)?/.exec(path ?? '') ?? [];
  return {
    rule: Number(rule),
    ...((list === 'from' || list === 'to') && { list, at: Number(at) }),
  };
}

/** The policy without what a finding says is of no use. */
function without(policy: AuthorizationPolicy, { field }: Diagnostic): AuthorizationPolicy {
  const { rule, list, at } = place(field);
  const found = policy.rules[rule];
  const rest = list === undefined ? [] : (found?.[list] ?? []).filter((_, index) => index !== at);
  // The last alternative of a list takes its rule along: an empty list would match all.
  const rules =
    list === undefined || found === undefined || rest.length === 0
      ? policy.rules.filter((_, index) => index !== rule)
      : policy.rules.map((one, index) => (index === rule ? { ...one, [list]: rest } : one));
  return { ...policy, rules };
}

/** Findings that say that something decides nothing. */
const USELESS: ReadonlySet<string> = new Set(['shadowed-rule', 'shadowed-by-deny', 'never-matches']);

/** Findings that say that a path matches nothing. */
const IMPOSSIBLE: ReadonlySet<string> = new Set(['path-without-slash', 'path-with-query', 'path-never-seen']);

/** The policy with a path of which nobody doubts that no request has it. */
function withOther(policy: AuthorizationPolicy, { field = '' }: Diagnostic): AuthorizationPolicy {
  const [, rule, at, not, index] = /^spec\.rules\[(\d+)\]\.to\[(\d+)\]\.operation\.(paths|notPaths)\[(\d+)\]$/.exec(field) ?? [];
  const list = not === 'notPaths' ? 'notValues' : 'values';
  return {
    ...policy,
    rules: policy.rules.map((one, ruleAt) => ({
      ...one,
      to: one.to.map((operation, toAt) => {
        if (ruleAt !== Number(rule) || toAt !== Number(at)) return operation;
        const changed = operation.paths[list].map((value, valueAt) =>
          valueAt === Number(index) ? ({ kind: 'exact', value: '/no/request/has/this' } as const) : value,
        );
        return { ...operation, paths: { ...operation.paths, [list]: changed } };
      }),
    })),
  };
}

interface Outcome {
  readonly claims: ReadonlyMap<string, number>;
  readonly wrong: readonly string[];
}

const WORKLOAD: Workload = {
  meta: meta('Deployment', 'shop', 'web'),
  namespace: 'shop',
  name: 'web',
  serviceAccount: 'web',
  labels: { app: 'web' },
  ports: [
    { name: 'http', port: port(PORTS.http), protocol: 'http' },
    { name: 'tcp', port: port(PORTS.tcp), protocol: 'tcp' },
  ],
  image: undefined,
  replicas: 1,
  instances: [],
};

function judge(world: World, asked: readonly Request[], claims: Map<string, number>): readonly string[] {
  const { policies, meshConfig } = world;
  const mesh = snapshot({ meshConfig, workloads: [WORKLOAD], authorizationPolicies: policies });
  return policyDiagnostics(mesh).flatMap((found) => {
    if (!USELESS.has(found.code) && !IMPOSSIBLE.has(found.code)) return [];
    claims.set(found.code, (claims.get(found.code) ?? 0) + 1);
    const changed: Snapshot = {
      ...mesh,
      authorizationPolicies: mesh.authorizationPolicies.map((policy) =>
        `AuthorizationPolicy ${keyOf(policy.meta)}` === found.object
          ? (IMPOSSIBLE.has(found.code) ? withOther : without)(policy, found)
          : policy,
      ),
    };
    const [before, after] = [prepare(mesh, WORKLOAD), prepare(changed, WORKLOAD)];
    // Taking an entry away may take away the field of HTTP for which TCP ports leave the whole rule out.
    const told = /over HTTP$|this entry/.test(found.message)
      ? asked.filter(({ destination }) => destination.protocol !== 'TCP')
      : asked;
    const differs = told.find((one) => before.decide(one).decision !== after.decide(one).decision);
    return differs === undefined
      ? []
      : [
          `${found.code} at ${found.object ?? ''} ${found.field ?? ''}: ${found.message}\n${JSON.stringify(differs)}\n${JSON.stringify(world.policies)}`,
        ];
  });
}

function run(count: number): Outcome {
  const claims = new Map<string, number>();
  const asked = fc.sample(requests, { numRuns: 200, seed: SEED });
  const wrong = fc.sample(worlds, { numRuns: count, seed: SEED }).flatMap((world) => judge(world, asked, claims));
  return { claims, wrong };
}

// Repeat with another seed: GATEHOUSE_SEED=7 npm test -- --grep "findings about policies"
describe('findings about policies', () => {
  it(`say of nothing that it decides nothing which decides something (seed ${SEED})`, () => {
    const { claims, wrong } = run(600);
    assert.deepEqual(wrong.slice(0, 3), []);
    for (const code of ['shadowed-rule', 'shadowed-by-deny', 'never-matches', 'path-with-query'])
      assert.ok((claims.get(code) ?? 0) > 10, `${code} was said ${claims.get(code) ?? 0} times; too few to tell`);
  }).timeout(60_000);
});
