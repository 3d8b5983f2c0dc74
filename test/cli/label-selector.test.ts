import assert from 'node:assert/strict';
import { parseLabelSelector } from '../../cli/input/label-selector.ts';

describe('a label selector as -l takes it', () => {
  const labels = { app: 'web', tier: 'front', 'example.org/env': 'prod', empty: '' };
  const means = (text: string): boolean | string => {
    const parsed = parseLabelSelector(text);
    return parsed.ok ? parsed.value(labels) : parsed.reason;
  };

  it('equality, sets, and whether a label is there', () => {
    const right = [
      'app=web',
      'app==web',
      'app = web, tier!=back',
      'app in (web, api)',
      'tier notin (back)',
      'none notin (a)',
      'empty=',
    ];
    for (const text of [...right, 'app', '!none', 'none!=x', 'example.org/env=prod,app']) assert.equal(means(text), true, text);
    for (const text of ['app=api', 'app!=web', 'app in (api)', 'tier notin (front,x)', '!app', 'none', 'none=x', 'app=web,none'])
      assert.equal(means(text), false, text);
  });

  it('what is none is refused', () => {
    for (const text of ['', 'app=web,', 'app in web', '-x', 'a=b=c', 'app in (web', 'a b'])
      assert.equal(typeof means(text), 'string', text);
  });
});
