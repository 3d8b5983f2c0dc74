import assert from 'node:assert/strict';
import { join } from 'node:path';
import { destinationsIn } from '../../../cli/policy/destinations.ts';
import { suggestionFor } from '../../../cli/serve/rollout/suggested.ts';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import { configuredIn } from '../../../policy/rollout/configured.ts';
import { alikeCalls } from '../../../policy/suggest/behind-services.ts';
import { suggest } from '../../../policy/suggest/suggest.ts';
import type { Suggestion } from '../../../policy/suggest/suggestion.ts';
import { meshWith } from '../observed/mesh.ts';
import { meta } from '../model.ts';
import { answered, call, evidence, plain, rollout, T0 } from '../rollout/scenario.ts';

const BOOKINFO = join(import.meta.dirname, '..', '..', '..', 'manifests', 'samples', 'bookinfo');
const VERSIONS = ['v1', 'v2', 'v3'].map((version) => `default/reviews-${version}`);

describe('callers of a Service with several workloads', () => {
  const { snapshot } = loadMesh({ paths: [BOOKINFO] });
  const service = 'reviews.default.svc.cluster.local';
  const weekly = call({ destination: 'default/reviews-v1', service, port: 9080, path: '/reviews/{id}', count: 1 });
  const alike = (...calls: readonly ObservedCall[]): readonly string[] =>
    [...alikeCalls(calls, snapshot).values()].flatMap((one) =>
      one.calls.map(({ destination, path }) => `${destination} ${path ?? ''}`),
    );

  it('may be led to any of them, which is said', () => {
    assert.deepEqual(alike(weekly), ['default/reviews-v2 /reviews/{id}', 'default/reviews-v3 /reviews/{id}']);
    assert.deepEqual(alikeCalls([weekly], snapshot).get('default/reviews-v2')?.generalised, [
      `${service} leads to any of ${VERSIONS.join(', ')}: who called one of them through it may call all`,
    ]);
  });
  it('nothing new where all of them were called already, or there is one only', () => {
    assert.deepEqual(alike(...VERSIONS.map((destination) => ({ ...weekly, destination }))), []);
    assert.deepEqual(alike({ ...weekly, destination: 'default/details-v1', service: 'details.default.svc.cluster.local' }), []);
  });
  it('nothing of calls past it, that were refused, in plain text, or of a Service that is not there', () => {
    for (const fields of [{ service: undefined }, { decision: 'DENY' as const }, { service: 'reviews.other.svc.cluster.local' }])
      assert.deepEqual(alike({ ...weekly, ...fields }), []);
    assert.deepEqual(alike(plain({ destination: 'default/reviews-v1', service })), []);
  });
  it('nothing of who names a Service and calls a workload that is not behind it, or another port', () => {
    assert.deepEqual(alike({ ...weekly, destination: 'default/details-v1' }), []);
    assert.deepEqual(alike({ ...weekly, port: 15_000 }), []);
  });

  const among = (suggestion: Suggestion): readonly string[] =>
    suggestion.policies
      .filter(({ workload, rules }) => VERSIONS.includes(workload ?? '') && rules.length > 0)
      .map(({ workload, rules }) => `${workload ?? ''} ${rules.flatMap(({ paths }) => paths).join()}`);
  const rolledOut = (calls: readonly ObservedCall[], fields: Parameters<typeof rollout>[0] = {}): Suggestion =>
    suggestionFor({ ...rollout(fields), meta: meta('NamespaceRollout', 'default', 'default') }, snapshot, {
      ...evidence(T0),
      calls,
      configured: configuredIn(snapshot, 'default', T0),
    });
  const alone = (calls: readonly ObservedCall[], ...only: readonly string[]): Suggestion =>
    suggest({
      snapshot,
      destinations: destinationsIn(snapshot).filter(({ name }) => only.length === 0 || only.includes(name)),
      calls,
      by: 'workload',
      now: T0,
    });
  const all = VERSIONS.map((name) => `${name} /reviews/{*}`);

  it('are let in by each of them, in a rollout and in policy suggest alike', () => {
    for (const suggestion of [rolledOut([weekly]), alone([weekly])]) {
      assert.deepEqual(among(suggestion), all);
      assert.deepEqual(
        suggestion.generalisations.filter((text) => text.includes('leads to any of')).map((text) => text.split(':', 1)[0]),
        VERSIONS.slice(1),
      );
      assert.deepEqual(suggestion.uncovered, []);
    }
    assert.deepEqual(among(alone([weekly], 'default/reviews-v3')), all.slice(2), 'of one workload alone, too');
  });
  it('are noted once, where they were seen', () => {
    const once = { ...weekly, days: 1, firstSeen: T0 - 6 * 86_400_000 };
    assert.deepEqual(
      alone([once]).notes.map(({ kind, destination }) => `${kind} ${destination}`),
      ['rare default/reviews-v1'],
    );
  });
  it('but for whom somebody accepted that the one workload refuses them', () => {
    const from = { principal: 'cluster.local/ns/shop/sa/web', namespace: undefined, ipBlock: undefined };
    const entry = { kind: 'denied' as const, from, to: { workload: 'reviews-v2', port: undefined }, ...answered };
    assert.deepEqual(among(rolledOut([weekly], { accepted: [entry] })), [all[0], all[2]]);
  });

  it('are led to the port that each workload has under the name', () => {
    const two = ['one', 'two'].map(
      (name, at) => `
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: shop}
spec:
  selector: {matchLabels: {app: pair, version: ${name}}}
  template:
    metadata: {labels: {app: pair, version: ${name}}}
    spec: {containers: [{name: main, image: x, ports: [{name: main, containerPort: ${8000 + at}}]}]}
`,
    );
    const pair = meshWith(
      ...two,
      `
---
apiVersion: v1
kind: Service
metadata: {name: pair, namespace: shop}
spec: {selector: {app: pair}, ports: [{name: http, port: 80, targetPort: main}]}
`,
    );
    const made = alikeCalls(
      [call({ destination: 'shop/one', service: 'pair.shop.svc.cluster.local', port: 8000 })],
      pair.snapshot,
    );
    assert.deepEqual(
      [...made.values()].flatMap(({ calls }) => calls.map(({ destination, port }) => [destination, port])),
      [['shop/two', 8001]],
    );
  });
});
