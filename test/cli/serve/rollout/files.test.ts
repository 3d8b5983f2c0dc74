// Where a rollout keeps its objects and its state, and how it changes policies of others: in the files of a user, who reads them.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { objectFiles } from '../../../../cli/serve/rollout/files/object-files.ts';
import { inOrder, stateFiles } from '../../../../cli/serve/rollout/files/state-files.ts';
import type { RolloutObject } from '../../../../policy/rollout/objects.ts';
import { initialState } from '../../../../policy/rollout/state.ts';

const strict: RolloutObject = {
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { name: 'rollout-strict', namespace: 'shop', labels: { 'gatehouse.dev/rollout': 'slowly' } },
  spec: { mtls: { mode: 'STRICT' } },
};

const THEIRS = `# who may not
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: bad # INC-7
  namespace: shop
spec:
  action: DENY
  rules: [{}]
---
apiVersion: v1
kind: List
items:
- apiVersion: security.istio.io/v1
  kind: AuthorizationPolicy
  metadata: {name: worse, namespace: shop, annotations: {team: a}}
  spec: {action: DENY, rules: [{}]}
`;

describe('files of a rollout', () => {
  let dir: string;
  let mesh: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-rollout-files-'));
    mesh = join(dir, 'mesh');
    mkdirSync(mesh);
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('the objects of a stage are one file, which goes with the last of them', async () => {
    const files = objectFiles([join(dir, 'none'), mesh]);
    await files.write('slowly', 'shop', [strict]);
    await files.write('slowly', 'shop', [strict]);
    assert.deepEqual(readdirSync(mesh), ['rollout-shop.yaml']);
    assert.deepEqual(await files.drift('slowly', 'shop', [strict]), []);
    assert.deepEqual(await files.drift('slowly', 'shop', []), ['PeerAuthentication shop/rollout-strict']);
    await files.write('slowly', 'shop', []);
    await files.write('slowly', 'shop', []);
    assert.deepEqual(readdirSync(mesh), []);
    assert.deepEqual(await files.drift('slowly', 'shop', [strict]), ['PeerAuthentication shop/rollout-strict']);
  });

  it('what differs in them is found, and what is there twice or no YAML', async () => {
    const files = objectFiles([mesh]);
    const path = join(mesh, 'rollout-shop.yaml');
    await files.write('slowly', 'shop', [strict]);
    const text = readFileSync(path, 'utf8');
    for (const changed of [text.replace('STRICT', 'PERMISSIVE'), `${text}${text}`, 'a: [', ''])
      await (async () => {
        writeFileSync(path, changed);
        assert.deepEqual(
          [...new Set(await files.drift('slowly', 'shop', [strict]))],
          ['PeerAuthentication shop/rollout-strict'],
          changed,
        );
      })();
  });

  it('without a folder, and where a name is no name, nothing is written', async () => {
    writeFileSync(join(dir, 'mesh.yaml'), '');
    await assert.rejects(
      objectFiles([join(dir, 'mesh.yaml')]).write('slowly', 'shop', [strict]),
      /give a folder, not only files/,
    );
    await assert.rejects(objectFiles([mesh]).write('slowly', '../shop', [strict]), /no name of a namespace/);
    await assert.rejects(stateFiles(dir).load('../../etc/passwd'), /no name of a namespace/);
  });

  it('policies of others become dry runs where they are written, with all else that stands there', async () => {
    writeFileSync(join(mesh, 'theirs.yaml'), THEIRS);
    const policies = ['bad', 'worse', 'gone'].map((name) => ({ namespace: 'shop', name }));
    const notSet = await objectFiles([mesh]).setDryRun(policies);
    assert.deepEqual(
      notSet.map(({ policy, reason }) => [policy.name, reason]),
      [['gone', 'it is in no folder of -f that can be changed']],
    );
    const text = readFileSync(join(mesh, 'theirs.yaml'), 'utf8');
    assert.match(text, /^# who may not\n/);
    assert.match(text, /name: bad # INC-7/);
    assert.match(text, /team: a, istio.io\/dry-run: "true"/);
    assert.equal(text.match(/istio.io\/dry-run: "true"/g)?.length, 2);
    assert.deepEqual(readdirSync(mesh), ['theirs.yaml']);
    await objectFiles([mesh]).setDryRun(policies);
    assert.equal(readFileSync(join(mesh, 'theirs.yaml'), 'utf8'), text);
  });

  it('states are for their owner only, follow each other, and are read whole or not at all', async () => {
    const folder = join(dir, 'ca', 'rollouts');
    mkdirSync(join(dir, 'ca'));
    const states = inOrder(stateFiles(folder));
    assert.equal(await states.load('shop'), undefined);
    const first = { ...initialState('shop', 1_000), revision: 1 };
    await states.save(first);
    assert.equal(statSync(join(folder, 'shop.json')).mode & 0o777, 0o600);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.deepEqual(await states.load('shop'), JSON.parse(JSON.stringify(first)));
    await assert.rejects(states.save({ ...first, revision: 3 }), /revision 1, and 3 does not follow/);
    await states.save({ ...first, revision: 2 });
    for (const text of [
      '',
      '{}',
      '[]',
      JSON.stringify({ ...first, stage: 'open' }),
      JSON.stringify({ ...first, namespace: 'other' }),
    ]) {
      writeFileSync(join(folder, 'shop.json'), text);
      await assert.rejects(states.load('shop'), /cannot be read as the state of a rollout/, text);
    }
    writeFileSync(join(folder, 'shop.json'), JSON.stringify({ ...first, version: 2 }));
    await assert.rejects(
      states.load('shop'),
      /shop\.json was written by a newer version .*state 2.* until gatehouse is updated again/,
    );
  });

  it('a folder in the way is said with what to do, and changes nothing', async () => {
    writeFileSync(join(dir, 'rollouts'), 'a file');
    await assert.rejects(
      stateFiles(join(dir, 'rollouts')).save({ ...initialState('shop', 1), revision: 1 }),
      /shop\.json cannot be written \(E\w+\); .*it is tried again/,
    );
    mkdirSync(join(mesh, 'rollout-shop.yaml'));
    await assert.rejects(objectFiles([mesh]).write('slowly', 'shop', [strict]), /rollout-shop\.yaml cannot be written \(E\w+\)/);
    assert.deepEqual(readdirSync(mesh), ['rollout-shop.yaml'], 'no draft is left');
  });
});
