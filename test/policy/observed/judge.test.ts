import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { templateOf } from '../../../audit/intake/path-template.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { evaluate } from '../../../policy/evaluate/evaluate.ts';
import { normalizedPath } from '../../../policy/evaluate/path.ts';
import type { Request } from '../../../policy/evaluate/request.ts';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import { judge } from '../../../policy/observed/judge.ts';
import { type Relation, relationOf } from '../../../policy/observed/template.ts';
import { ofText } from '../../../policy/access/value-language.ts';
import { valueOf } from '../../../policy/evaluate/text.ts';
import { asked, meshOf, requestOf } from '../access/generated.ts';
import { DESTINATION } from '../access/destination.ts';
import { worlds } from '../differential/arbitrary.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261122);
const WORLDS = Number(process.env['GATEHOUSE_WORLDS'] ?? 150);
const DESTINATIONS = new Map([[DESTINATION.name, DESTINATION]]);

/** What a record would say of a request. */
function recorded({ source, destination, http }: Request, snapshot: Snapshot): ObservedCall {
  const tcp = destination.protocol === 'TCP';
  const path = normalizedPath(http.path ?? '', snapshot.meshConfig.pathNormalization);
  return {
    principal: source.principal,
    address: source.principal === undefined ? source.ip : undefined,
    caller: undefined,
    destination: DESTINATION.name,
    service: http.host?.includes(':') === true ? undefined : http.host,
    port: destination.port,
    protocol: tcp ? 'TCP' : 'HTTP',
    method: tcp ? undefined : (http.method ?? 'OTHER'),
    path: tcp ? undefined : http.path === undefined ? '{other}' : templateOf(path),
    mtls: source.principal !== undefined,
    decision: 'ALLOW',
    denied: undefined,
    wouldDeny: [],
    count: 1,
    firstSeen: 0,
    lastSeen: 0,
    days: undefined,
  };
}

/**
 * As a proxy has it: where no RequestAuthentication applies nobody verifies tokens; a connection has one address, and a request in plain
 * text names no server. Records leave matrix parameters out (`/a;v=1` is `/a`), which docs/policy/replay.md says.
 */
function seenBy({ requestAuthentications }: Snapshot, { source, destination, token, http, ...rest }: Request): Request {
  const tcp = destination.protocol === 'TCP';
  return {
    ...rest,
    http: { ...http, path: http.path?.replaceAll(/;[^/]*/g, '') },
    source: tcp ? { ...source, remoteIp: undefined } : source,
    destination: { ...destination, sni: source.principal === undefined && !tcp ? undefined : destination.sni },
    token: requestAuthentications.length === 0 ? undefined : token,
  };
}

const refusedToken = (reason: string): boolean => /^40[13]: /.test(reason);

describe('policy: calls that were seen, judged', () => {
  it('as the evaluator decides each of them, or not at all', function () {
    this.timeout(120_000);
    process.stdout.write(`    seed ${SEED}; again: GATEHOUSE_SEED=${SEED} npm test -- --grep "calls that were seen, judged"\n`);
    const counts = { granted: 0, 'not-granted': 0, depends: 0, unknown: 0 };
    for (const [index, world] of fc.sample(worlds, { seed: SEED, numRuns: WORLDS }).entries()) {
      const mesh = meshOf(world, index, SEED);
      const judging = judge(mesh, DESTINATIONS);
      for (const one of fc.sample(asked, { seed: SEED + index, numRuns: 100 }).map(requestOf)) {
        const request = seenBy(mesh, one);
        const { decision, reason } = evaluate(mesh, request);
        const judgement = judging(recorded(request, mesh));
        counts[judgement.kind] += 1;
        const told = (): string =>
          JSON.stringify({
            world: index,
            request,
            headers: [...request.http.headers],
            reason,
            judgement,
            policies: world.policies,
          });
        if (judgement.kind === 'granted') assert.ok(decision === 'ALLOW' || refusedToken(reason), told());
        if (judgement.kind === 'not-granted') assert.equal(decision, 'DENY', told());
      }
    }
    process.stdout.write(`    ${JSON.stringify(counts)}\n`);
    assert.ok(counts.granted > 10 * WORLDS && counts['not-granted'] > 10 * WORLDS && counts.depends > WORLDS);
    assert.equal(counts.unknown, 0);
  });

  it('knows more of calls that were let through before a change, and nothing wrong', function () {
    this.timeout(120_000);
    const counts = { granted: 0, 'not-granted': 0, depends: 0, unknown: 0 };
    let [with_, without] = [0, 0];
    const all = fc.sample(worlds, { seed: SEED, numRuns: WORLDS });
    for (const [index, world] of all.entries()) {
      const other = all[(index + 1) % all.length] ?? world;
      const before = meshOf(world, index, SEED);
      const half = world.policies.filter((_, at) => at % 2 === index % 2);
      const after = meshOf(
        { ...world, policies: index % 3 === 0 ? world.policies : [...half, ...other.policies.slice(0, 1)] },
        index,
        index % 4 === 0 ? SEED + 1 : SEED,
      );
      const [was, is] = [judge(before, DESTINATIONS), judge(after, DESTINATIONS)];
      for (const one of fc.sample(asked, { seed: SEED + index, numRuns: 100 }).map(requestOf)) {
        const request = seenBy(before, one);
        const verdict = evaluate(before, request);
        if (verdict.decision === 'DENY') continue;
        const call: ObservedCall = {
          ...recorded(request, before),
          ...(verdict.policy === undefined ? {} : { by: { policy: verdict.policy, rule: verdict.rule } }),
        };
        const judgement = is(call, was.given(call));
        if (judgement.kind !== 'depends') with_ += 1;
        if (is(call).kind !== 'depends') without += 1;
        counts[judgement.kind] += 1;
        const { decision, reason } = evaluate(after, seenBy(after, one));
        const told = (): string =>
          JSON.stringify({
            world: index,
            request,
            headers: [...request.http.headers],
            verdict,
            reason,
            judgement,
            call,
            before: before.authorizationPolicies,
            after: after.authorizationPolicies,
            ra: [before.requestAuthentications, after.requestAuthentications],
          });
        if (judgement.kind === 'granted') assert.ok(decision === 'ALLOW', told());
        if (judgement.kind === 'not-granted') assert.equal(decision, 'DENY', told());
      }
    }
    process.stdout.write(`    ${JSON.stringify(counts)}; decided with what is known ${with_}, without ${without}\n`);
    assert.ok(counts.granted > WORLDS && counts['not-granted'] > WORLDS && with_ > without);
  });

  it('knows what a value says of a template', () => {
    const relation = (value: string, template: string, query = false): Relation =>
      relationOf(
        { text: value, languages: ofText(value.includes('{') ? { kind: 'template', value } : valueOf(value)) },
        template,
        query,
      );
    assert.equal(relation('*', '/users/{id}'), 'all');
    assert.equal(relation('/users/*', '/users/{id}'), 'all');
    assert.equal(relation('/users/{*}', '/users/{id}'), 'all');
    assert.equal(relation('/users/{**}', '/users/{id}/orders'), 'all');
    assert.equal(relation('/users/{*}/orders', '/users/{id}'), 'none');
    assert.equal(relation('/users/7', '/users/{id}'), 'some');
    assert.equal(relation('/users/me', '/users/{id}'), 'none');
    assert.equal(relation('/users/7', '/users'), 'none');
    assert.equal(relation('/users', '/users/{id}'), 'none');
    assert.equal(relation('*.png', '/img/{id}.png'), 'all');
    assert.equal(relation('*/orders', '/users/{id}'), 'some');
    assert.equal(relation('/a/b/*', '/a/b/{rest}'), 'all');
    assert.equal(relation('/a/b/c', '/a/b/{rest}'), 'some');
    assert.equal(relation('/x/*', '{other}'), 'some');
    assert.equal(relation('/users/1*', '/users/{id}'), 'some');
    assert.equal(relation('/users/order-*', '/users/order-{id}'), 'all');
    assert.equal(relation('/users*', '/users', true), 'all');
  });
});
