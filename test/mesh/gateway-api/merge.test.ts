import assert from 'node:assert/strict';
import { mergedStatus } from '../../../mesh/gateway-api/status/merge.ts';
import type { Condition } from '../../../mesh/gateway-api/status/condition.ts';
import type { ObjectStatus } from '../../../mesh/gateway-api/status/status.ts';

const META = {
  kind: 'HTTPRoute',
  apiVersion: 'gateway.networking.k8s.io/v1',
  namespace: 'n',
  name: 'r',
  labels: {},
  annotations: {},
  createdAt: undefined,
  origin: { file: 'f', line: 1 },
} as const;
const accepted = (status: 'True' | 'False'): Condition => ({ type: 'Accepted', status, reason: 'R', message: 'm' });
const route = (status: 'True' | 'False'): ObjectStatus => ({
  kind: 'HTTPRoute',
  meta: META,
  status: { parents: [{ parentRef: { kind: 'Gateway', name: 'g' }, controllerName: 'mine', conditions: [accepted(status)] }] },
  problems: [],
});
const at = (now: string, generation?: number) => ({ now: new Date(now), generation });

describe('the status that is written', () => {
  it('keeps the time of a condition that did not change, and follows the generation', () => {
    const first = mergedStatus(route('True'), undefined, at('2026-01-01T00:00:00Z', 1), ['mine']);
    const second = mergedStatus(route('True'), first, at('2026-01-02T00:00:00Z', 2), ['mine']);
    const third = mergedStatus(route('False'), second, at('2026-01-03T00:00:00Z', 3), ['mine']);
    const stamps = [first, second, third].map((status) => {
      const text = JSON.stringify(status);
      return [/"observedGeneration":(\d)/.exec(text)?.[1], /"lastTransitionTime":"([^"]+)"/.exec(text)?.[1]];
    });
    assert.deepEqual(stamps, [
      ['1', '2026-01-01T00:00:00Z'],
      ['2', '2026-01-01T00:00:00Z'],
      ['3', '2026-01-03T00:00:00Z'],
    ]);
  });

  it('keeps what other controllers wrote, and drops a parent of ours that is gone', () => {
    const before = {
      parents: [
        { parentRef: { name: 'gone' }, controllerName: 'mine', conditions: [] },
        { parentRef: { name: 'theirs' }, controllerName: 'other', conditions: [{ type: 'Accepted', status: 'True' }] },
        { parentRef: { name: 'g', kind: 'Gateway' }, controllerName: 'mine', conditions: [{ type: 'a.b/Own', status: 'True' }] },
      ],
      others: 1,
    };
    const { parents, others } = mergedStatus(route('True'), before, at('2026-01-01T00:00:00Z'), ['mine']);
    assert.equal(others, 1);
    assert.deepEqual(JSON.parse(JSON.stringify(parents)), [
      {
        parentRef: { kind: 'Gateway', name: 'g' },
        controllerName: 'mine',
        conditions: [
          { ...accepted('True'), lastTransitionTime: '2026-01-01T00:00:00Z' },
          { type: 'a.b/Own', status: 'True' },
        ],
      },
      before.parents[1],
    ]);
  });
});
