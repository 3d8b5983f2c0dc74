import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { templateOf } from '../../../audit/intake/path-template.ts';
import { isText, valueOf } from '../../../policy/evaluate/text.ts';
import { calledAs } from '../../../policy/rollout/called.ts';
import { call } from './scenario.ts';

const SEED = 20261122;

const segment = fc.constantFrom('a', 'items', 'export', '17', '4711', 'order-12345', '20260101.png', 'x.png', '');
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/${segments.join('/')}`);
/** Values as policies have them: what was sent, its beginning or end, or with templates in it. */
const value = fc
  .record({ sent: path, from: fc.nat(12), kind: fc.constantFrom('exact', 'prefix', 'suffix', 'one', 'rest', 'any') })
  .map(({ sent, from, kind }) => {
    const segments = sent.split('/');
    const at = 1 + (from % (segments.length - 1));
    switch (kind) {
      case 'prefix':
        return `${sent.slice(0, 1 + (from % sent.length))}*`;
      case 'suffix':
        return `*${sent.slice(from % sent.length)}`;
      case 'one':
        return segments.map((one, index) => (index === at ? '{*}' : one)).join('/');
      case 'rest':
        return [...segments.slice(0, at), '{**}'].join('/');
      case 'any':
        return '*';
      default:
        return sent;
    }
  });

describe('accepted paths, against what was sent', () => {
  it(`what is about all of a record takes in whatever became it, what is about none nothing (seed ${SEED})`, () => {
    const seen = { all: 0, some: 0, none: 0 };
    fc.assert(
      fc.property(value, fc.array(path, { minLength: 1, maxLength: 6 }), (written, sent) => {
        const match = /\{\*\*?\}/.test(written) ? { kind: 'template' as const, value: written } : valueOf(written);
        for (const one of sent) {
          const recorded = templateOf(one);
          const relation = calledAs({ workload: undefined, port: undefined, paths: [written] }, call({ path: recorded }));
          seen[relation]++;
          if (relation === 'all')
            assert.ok(isText(match, one), `${written} is said to be about all of ${recorded}, and ${one} is not it`);
          if (relation === 'none')
            assert.ok(!isText(match, one), `${written} is said to be about none of ${recorded}, and ${one} is it`);
        }
      }),
      { seed: SEED, numRuns: 3000 },
    );
    assert.ok(
      Object.values(seen).every((count) => count > 100),
      JSON.stringify(seen),
    );
  });
});
