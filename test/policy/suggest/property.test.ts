import assert from 'node:assert/strict';
import { accessTable } from '../../../policy/access/table.ts';
import type { Destination } from '../../../policy/access/world.ts';
import { evaluate, prepare } from '../../../policy/evaluate/evaluate.ts';
import type { Request } from '../../../policy/evaluate/request.ts';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import { suggest } from '../../../policy/suggest/suggest.ts';
import type { Suggestion } from '../../../policy/suggest/suggestion.ts';
import { port, request } from '../model.ts';
import { admitted, inForce } from './admitted.ts';
import { type GeneratedMesh, METHODS, NOW, TEMPLATES, generatedMesh, randomOf } from './generated.ts';
import { Oracle, canonical } from './oracle.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261122);
const WORKLOADS = Number(process.env['GATEHOUSE_WORKLOADS'] ?? 300);
const IDS = ['17', 'x', 'a-B_9.~', '5f0c1e3a-1111-2222-3333-444455556666'];

function filled(template: string, id: string): string {
  return template.replaceAll('{id}', id).replaceAll('{rest}', `${id}/and/more`).replace('{other}', `/odd/${id}`);
}

function requestTo(
  { namespace, labels }: Destination,
  principal: string | undefined,
  at: number,
  protocol: 'HTTP' | 'GRPC' | 'TCP',
  method = 'GET',
  path = '/',
): Request {
  return request({
    source: { principal, ip: '10.0.0.1', remoteIp: '10.0.0.1' },
    destination: { namespace, labels, port: port(at), protocol },
    http: protocol === 'TCP' ? {} : { method, path, host: 'any.example' },
  });
}

/** Requests that a record stands for. */
function instances(destination: Destination, call: ObservedCall): readonly Request[] {
  const spoken = destination.ports.find(({ protocol }) => (protocol === 'TCP') === (call.protocol === 'TCP'));
  const at = call.port ?? spoken?.port ?? 8080;
  const method = call.method === 'OTHER' ? 'PURGE' : call.method;
  return IDS.map((id) =>
    requestTo(destination, call.principal, at, call.protocol, method, filled(call.path ?? '', id) || '/any'),
  );
}

function othersThan(known: readonly string[]): readonly (string | undefined)[] {
  return [
    undefined,
    'spiffe://cluster.local/ns/nobody/sa/nobody',
    ...known.flatMap((id) => [
      id,
      `spiffe://old.mesh/${id.split('/').slice(3).join('/')}`,
      `spiffe://elsewhere/${id.split('/').slice(3).join('/')}`,
      `${id}x`,
    ]),
  ];
}

describe('policy, suggestion of a generated mesh', function () {
  this.timeout(120_000);
  let mesh: GeneratedMesh;
  let suggestion: Suggestion;
  let oracle: Oracle;
  let enforced: ReturnType<typeof inForce>;
  before(() => {
    process.stdout.write(`    seed ${SEED}; again: GATEHOUSE_SEED=${SEED} npm test -- --grep "suggestion of a generated mesh"\n`);
    mesh = generatedMesh(WORKLOADS, SEED);
    suggestion = suggest({
      snapshot: mesh.snapshot,
      destinations: mesh.destinations,
      calls: mesh.calls,
      by: 'workload',
      now: NOW,
    });
    oracle = new Oracle(mesh, suggestion);
    enforced = inForce(mesh.snapshot, admitted(suggestion));
  });

  it('lets in every call that went through', () => {
    const counts = { covered: 0, conditional: 0, refused: 0, plain: 0 };
    for (const destination of mesh.destinations) {
      const evaluator = prepare(enforced, destination);
      for (const call of oracle.callsTo(destination.name)) {
        if (call.decision === 'DENY') continue;
        const noted = suggestion.notes.find(
          ({ kind, caller, destination: name }) =>
            name === destination.name &&
            ((kind === 'conditional' && caller === canonical(call.principal)) ||
              (kind === 'plain-text' && caller === call.address)),
        );
        for (const one of instances(destination, call)) {
          const { decision, reason, policy } = evaluator.evaluate(one);
          if (decision === 'ALLOW') {
            counts.covered += 1;
            continue;
          }
          const because = JSON.stringify({ call, one, reason });
          if (policy?.includes('/no-delete-') === true) {
            counts.refused += 1;
            assert.ok(
              suggestion.uncovered.some((text) => text.startsWith(`${destination.name}: `) && text.includes(policy)),
              because,
            );
          } else if (call.principal === undefined) {
            counts.plain += 1;
            assert.ok(noted, because);
          } else {
            counts.conditional += 1;
            assert.ok(oracle.conditional(destination) && noted, because);
          }
        }
      }
    }
    process.stdout.write(`    ${mesh.calls.length} kinds of calls: ${JSON.stringify(counts)}\n`);
    assert.ok(counts.covered > 10 * WORKLOADS && counts.refused > 0 && counts.conditional > 0 && counts.plain > 0);
  });

  it('lets in nothing else but what it says', () => {
    const random = randomOf(SEED + 1);
    const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
    const counts = { allowed: 0, denied: 0 };
    const paths = [
      ...TEMPLATES.flatMap((path) => IDS.slice(0, 2).map((id) => filled(path, id))),
      '/nowhere',
      '/users/7/x',
      '/b',
      '/orders',
      '/a/b/c/b',
    ];
    for (const destination of mesh.destinations) {
      const calls = oracle.callsTo(destination.name);
      const known = [...new Set(calls.flatMap(({ principal }) => principal ?? []))];
      const callers = othersThan(known);
      const asked: Request[] = calls.flatMap((call) => [
        // One thing at a time is another one.
        ...instances(destination, { ...call, principal: pick(callers) }),
        ...instances(destination, { ...call, method: pick(METHODS) }),
        ...instances(destination, { ...call, path: pick(paths) ?? '/' }),
        ...instances(destination, { ...call, port: pick([8080, 9090, 5432, 7000, 1234].map(port)) }),
      ]);
      for (let time = 0; time < 60; time++) {
        const at = pick([8080, 8080, 9090, 5432, 7000, 1234]) ?? 8080;
        asked.push(requestTo(destination, pick(callers), at, at === 5432 ? 'TCP' : 'HTTP', pick(METHODS), pick(paths)));
      }
      const evaluator = prepare(enforced, destination);
      for (const one of asked) {
        const { decision, reason, policy, rule } = evaluator.evaluate(one);
        const wanted = oracle.allows(one, destination);
        counts[wanted ? 'allowed' : 'denied'] += 1;
        assert.equal(
          decision,
          wanted ? 'ALLOW' : 'DENY',
          JSON.stringify({ destination: destination.name, one, reason, policy, rule, calls }),
        );
      }
    }
    process.stdout.write(`    ${JSON.stringify(counts)}\n`);
    assert.ok(counts.allowed > 10 * WORKLOADS && counts.denied > 10 * WORKLOADS, 'both answers must be tried');
  });

  it('by who-can nobody else may call', () => {
    let tables = 0;
    for (const destination of mesh.destinations.filter((_, index) => index % 5 === 0)) {
      if (oracle.governed(destination) || mesh.gateways.has(destination.name)) continue;
      const shared = suggestion.generalisations.some(
        (text) => text.includes('its labels select') && text.includes(destination.name),
      );
      if (shared) continue;
      const seen = oracle
        .callsTo(destination.name)
        .filter(({ decision, principal }) => decision === 'ALLOW' && principal !== undefined);
      const refused = suggestion.uncovered.filter((text) => text.startsWith(`${destination.name}: `));
      const { tables: found } = accessTable({ snapshot: enforced, destination }, []);
      const may = new Set(
        found.flatMap(({ grants }) =>
          grants.flatMap(({ callers, confirmed }) => {
            assert.ok(confirmed);
            return callers.map((caller) => (caller.kind === 'identity' ? canonical(caller.principal) : JSON.stringify(caller)));
          }),
        ),
      );
      const did = new Set(seen.map(({ principal }) => canonical(principal)));
      if (refused.length === 0) assert.deepEqual([...may].sort(), [...did].sort(), destination.name);
      else
        assert.ok(
          [...may].every((one) => one !== undefined && did.has(one)),
          destination.name,
        );
      tables += 1;
    }
    assert.ok(tables > WORKLOADS / 10, `${tables}`);
  });

  it('is the same for the same calls in any order', () => {
    const random = randomOf(SEED + 2);
    const calls = mesh.calls
      .map((call) => ({ call, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ call }) => call);
    const other = suggest({
      snapshot: mesh.snapshot,
      destinations: mesh.destinations.toReversed(),
      calls,
      by: 'workload',
      now: NOW,
    });
    assert.deepEqual(other, suggestion);
  });

  it('suggests nothing more once it is in force', () => {
    const again = suggest({ snapshot: enforced, destinations: mesh.destinations, calls: mesh.calls, by: 'workload', now: NOW });
    assert.deepEqual(
      again.policies.map(({ namespace, name, rules }) => ({ namespace, name, rules })),
      [],
    );
  });

  it('by namespaces lets in every call, too', () => {
    const wide = suggest({
      snapshot: mesh.snapshot,
      destinations: mesh.destinations,
      calls: mesh.calls,
      by: 'namespace',
      now: NOW,
    });
    const then = inForce(mesh.snapshot, admitted(wide));
    let covered = 0;
    for (const destination of mesh.destinations)
      for (const call of oracle.callsTo(destination.name)) {
        if (call.decision === 'DENY' || call.principal === undefined || oracle.conditional(destination)) continue;
        for (const one of instances(destination, call)) {
          const { decision, policy } = evaluate(then, one);
          if (policy?.includes('/no-delete-') === true) continue;
          assert.equal(decision, 'ALLOW', JSON.stringify({ call, one }));
          covered += 1;
        }
      }
    assert.ok(covered > 10 * WORKLOADS);
  });
});
