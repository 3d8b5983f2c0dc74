import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { skimmed } from '../../../kubernetes/api/skim.ts';

const NAMES = new Set(['env', 'status']);
const skim = (text: string): string => skimmed(Buffer.from(text), NAMES).toString();

/** The same, the slow way. */
function without(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(without);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, inner]) => !(NAMES.has(name) && typeof inner === 'object' && inner !== null))
      .map(([name, inner]) => [name, without(inner)]),
  );
}

describe('JSON that is skimmed', () => {
  for (const [text, want] of [
    ['{"env":[1,2],"a":1}', '{"a":1}'],
    ['{"a":1,"env":[{"b":"]"}]}', '{"a":1}'],
    ['{"a":1,"env":[],"b":2}', '{"a":1,"b":2}'],
    ['{"env":[]}', '{}'],
    ['{"env":[],"status":{}}', '{}'],
    ['{"env":"prod","labels":{"status":"x"}}', '{"env":"prod","labels":{"status":"x"}}'],
    ['{"a":"\\"env\\":[","env":{"c":"\\\\"}}', '{"a":"\\"env\\":["}'],
    ['["env",["x"]]', '["env",["x"]]'],
    ['{"env":[1', '{"env":[1'],
    ['no JSON "', 'no JSON "'],
  ] as const)
    it(`${text} is ${want}`, () => assert.equal(skim(text), want));

  it('is what it was but for those members, whatever it was', () => {
    const name = fc.oneof(fc.constantFrom('env', 'status', 'a', '"', '\\', 'é'), fc.string());
    const { json } = fc.letrec<{ json: unknown; map: unknown; list: unknown }>((tie) => ({
      json: fc.oneof(
        { maxDepth: 5 },
        fc.string(),
        fc.integer(),
        fc.constantFrom(null, true, '],', '"env":['),
        tie('map'),
        tie('list'),
      ),
      map: fc.dictionary(name, tie('json'), { maxKeys: 5 }),
      list: fc.array(tie('json'), { maxLength: 4 }),
    }));
    const seed = 20_261_121;
    fc.assert(
      fc.property(json, (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value));
        assert.equal(skim(JSON.stringify(plain)), JSON.stringify(without(plain)));
      }),
      { seed, numRuns: 3000 },
    );
  });
});
