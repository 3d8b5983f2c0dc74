import assert from 'node:assert/strict';
import { compareMeshes } from '../../../cli/policy/compare.ts';
import { evaluate } from '../../../policy/evaluate/evaluate.ts';
import { snapshotOf } from '../../routing/compiled.ts';

const SIZE = 20;

const workload = (index: number): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: w-${index}, namespace: ns-${index % 4}}
spec: {template: {metadata: {labels: {app: w-${index}}}, spec: {containers: [{name: app, ports: [{containerPort: 8080}]}]}}}
`;
const policy = (index: number, path: string): string => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p-${index}, namespace: istio-system}
spec: {rules: [{from: [{source: {principals: [cluster.local/ns/ns-0/sa/s-${index}]}}], to: [{operation: {paths: [${path}/${index}]}}]}]}
`;
const mesh = (path: string, more = '') => {
  const numbers = Array.from({ length: SIZE }, (_, index) => index);
  return snapshotOf([...numbers.map(workload), ...numbers.map((index) => policy(index, path)), more].join('---'));
};

describe('policy diff, workloads that share their policies', () => {
  it('share a row', () => {
    const { changes, untold, incomplete } = compareMeshes(mesh('/a'), mesh('/b'));
    assert.equal(changes.length, SIZE * 2);
    assert.deepEqual([untold, incomplete], [[], []]);
    for (const { destinations, destination, confirmed } of changes) {
      assert.equal(new Set(destinations).size, SIZE);
      assert.equal(destination, destinations[0]);
      assert.ok(confirmed);
    }
  });

  it('and what the row says holds for each of them', () => {
    const [before, after] = [mesh('/a'), mesh('/b')];
    for (const { example, now } of compareMeshes(before, after).changes) {
      for (const { namespace, labels } of after.workloads) {
        const at = { ...example.after.destination, namespace, labels };
        assert.equal(evaluate(after, { ...example.after, destination: at }).decision, now);
        assert.notEqual(evaluate(before, { ...example.after, destination: at }).decision, now);
      }
    }
  });

  it('but not one to which another policy applies as well', () => {
    const open = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: open, namespace: ns-1}
spec: {selector: {matchLabels: {app: w-1}}, action: DENY, rules: [{to: [{operation: {paths: [/b/3]}}]}]}
`;
    const { changes } = compareMeshes(mesh('/a'), mesh('/b', open));
    const alone = changes.filter(({ destinations }) => destinations.includes('ns-1/w-1'));
    assert.ok(alone.length > 0 && alone.every(({ destinations }) => destinations.length === 1));
    assert.equal(alone.filter(({ now }) => now === 'ALLOW').length, SIZE - 1);
  });
});
