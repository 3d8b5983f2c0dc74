import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readAlerts } from '../../../cli/serve/alerts/read.ts';

describe('the file of --alerts', () => {
  const dir = mkdtempSync(join(tmpdir(), 'gh-alert-rules-'));
  const file = join(dir, 'alerts.yaml');
  writeFileSync(join(dir, 'secret'), `${'s'.repeat(32)}\n`);
  writeFileSync(join(dir, 'short'), 'short');
  after(() => rmSync(dir, { recursive: true, force: true }));

  const read = (text: string) => {
    writeFileSync(file, text);
    return readAlerts(file);
  };
  const faults = (text: string): readonly string[] => {
    const found = read(text);
    return found.ok ? [] : found.faults.map((fault) => fault.replace(`${file}:`, ''));
  };

  it('with everything, and with defaults', () => {
    const all = read(`webhooks:
- {name: security, url: "https://hooks.example.com/in", secretFile: secret, timeout: 3s}
- {name: local, url: "http://127.0.0.1:9000/"}
newEdge: {namespaces: [payments], learn: 1h}
plainText:
denialSpike: {window: 1m, factor: 2.5, least: 5, again: 10m}
`);
    assert.ok(all.ok, JSON.stringify(all));
    const { rules, webhooks } = all.value;
    assert.deepEqual(rules, {
      newEdge: { namespaces: ['payments'], learnMs: 3_600_000 },
      plainText: { namespaces: [], againMs: 86_400_000 },
      denialSpike: { windowMs: 60_000, factor: 2.5, least: 5, againMs: 600_000 },
    });
    assert.deepEqual(
      webhooks.map(({ name, url, secret, timeoutMs }) => [name, url.href, secret?.length, timeoutMs]),
      [
        ['security', 'https://hooks.example.com/in', 32, 3_000],
        ['local', 'http://127.0.0.1:9000/', undefined, 10_000],
      ],
    );
    const few = read('newEdge: {}\n');
    assert.ok(few.ok);
    assert.deepEqual(few.value.rules, {
      newEdge: { namespaces: undefined, learnMs: 86_400_000 },
      plainText: undefined,
      denialSpike: undefined,
    });
  });

  it('says what is wrong, where, and what to write', () => {
    assert.deepEqual(
      faults(`newEdge:
  learn: soon
  namespaces: payments
webhooks:
- name: Security
  url: https://hooks.example.com
- name: a
  url: http://hooks.example.com
- name: b
  url: https://me:secret@hooks.example.com
- name: c
  url: https://hooks.example.com
  secretFile: short
- name: c
  url: ftp://hooks.example.com
  secretFile: nothing-there
denialSpikes: {}
`).map((fault) => fault.split(' (', 1)[0]?.replace(/ENOENT.*/, 'ENOENT')),
      [
        '2: error: newEdge.learn: is no duration that can be meant',
        '3: error: newEdge.namespaces: must be a list of names of namespaces',
        '5: error: webhooks.0.name: must be a name of lower-case letters, digits and -',
        '8: error: webhooks.1.url: is plain HTTP to another machine',
        '10: error: webhooks.2.url: must not hold a user or a password',
        '13: error: webhooks.3.secretFile: is shorter than 16 bytes',
        '15: error: webhooks.4.url: is no address of a webhook',
        '16: error: webhooks.4.secretFile: cannot be read: ENOENT',
        '17: error: denialSpikes: is no field that is known',
      ],
    );
    const twice = faults('newEdge: {}\nwebhooks:\n- {name: a, url: "https://a"}\n- {name: a, url: "https://b"}\n');
    assert.match(twice[0] ?? '', /^4: error: webhooks\.1\.name: a is there twice/);
    assert.deepEqual(faults('rollback: {}\n'), []);
    assert.match(faults('rollback: {denials: 3}\n')[0] ?? '', /^1: error: rollback/);
    assert.match(faults('{}')[0] ?? '', /^1: error: has no rule \(write newEdge/);
    assert.match(faults('newEdge: [')[0] ?? '', /^1: error: /);
    assert.match(faults('newEdge: {}\nwebhooks: {}')[0] ?? '', /^2: error: webhooks: must be a list/);
    assert.match(faults('- a')[0] ?? '', /^1: error: must have fields/);
    assert.deepEqual(readAlerts(join(dir, 'none.yaml')).ok, false);
  });
});
