import assert from 'node:assert/strict';
import { renameSync, rmSync } from 'node:fs';
import { pino } from 'pino';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Change } from '../../mesh/admit/change.ts';
import { type WatchedMesh, watchMesh } from '../../mesh/source/watch.ts';
import { TestFolder } from './folder.ts';

const service = (name: string, port = 80): string => `apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {ports: [{name: http, port: ${port}}]}
`;
const policy = (name: string, action: string): string => `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ${name}}
spec: {action: ${action}, rules: [{from: [{source: {namespaces: [bad]}}]}]}
`;

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + 5000;
  while (!holds()) {
    if (Date.now() > end) assert.fail(`did not come: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('watching files', () => {
  let folder: TestFolder;
  let mesh: WatchedMesh | undefined;
  let snapshots: { snapshot: Snapshot; changed: readonly Change[] }[];

  const start = async (pollMs = 60_000, pollFiles?: number): Promise<WatchedMesh> => {
    mesh = await watchMesh({
      paths: [folder.at('mesh')],
      log: pino({ level: 'silent' }),
      pollMs,
      ...(pollFiles === undefined ? {} : { pollFiles }),
      onSnapshot: (snapshot, changed) => snapshots.push({ snapshot, changed }),
    });
    return mesh;
  };
  const names = (): string => (mesh?.current().services ?? []).map(({ meta }) => meta.name).join();
  const codes = (): readonly string[] => (mesh?.diagnostics() ?? []).map(({ code }) => code);
  beforeEach(() => {
    folder = new TestFolder();
    snapshots = [];
  });
  afterEach(() => {
    mesh?.close();
    mesh = undefined;
    folder.dispose();
  });

  it('each change is one snapshot with the next number; unchanged objects and lists keep their identity', async () => {
    folder.write('mesh/a.yaml', service('a'));
    folder.write('mesh/p.yaml', policy('p', 'DENY'));
    const watched = await start();
    const first = watched.current();
    assert.equal(first.number, 1);
    folder.swap('mesh/b.yaml', service('b'));
    await until('b', () => names() === 'a,b');
    const second = watched.current();
    assert.equal(second.number, 2);
    assert.ok(second.services[0] === first.services[0]);
    assert.ok(second.authorizationPolicies === first.authorizationPolicies);
    assert.deepEqual(
      snapshots.map(({ changed }) => changed),
      [[{ kind: 'Service', namespace: 'default', name: 'b', change: 'added' }]],
    );
  });

  it('what a file behind a link says is found a few files at a time, without an event', async () => {
    for (const name of ['a', 'b', 'c', 'd']) {
      folder.write(`apart/${name}.yaml`, service(name));
      folder.link(`mesh/${name}.yaml`, `apart/${name}.yaml`);
    }
    const watched = await start(20, 1);
    for (const name of ['d', 'a']) {
      folder.swap(`apart/${name}.yaml`, service(name, 81));
      await until(`port 81 of ${name}`, () =>
        watched.current().services.some(({ meta, ports }) => meta.name === name && ports[0]?.port === 81),
      );
    }
  });

  it('unchanged content makes no snapshot, and objects that only moved keep their identity', async () => {
    folder.write('mesh/a.yaml', service('a'));
    const watched = await start();
    const before = watched.current();
    folder.write('mesh/a.yaml', service('a'));
    folder.swap('mesh/a.yaml', `# a comment\n\n${service('a')}`);
    folder.swap('mesh/marker.yaml', service('marker'));
    await until('marker', () => names() === 'a,marker');
    assert.equal(watched.current().number, 2);
    assert.ok(watched.current().services[0] === before.services[0]);
  });

  it('a bad object keeps its last good version, others in the file change', async () => {
    folder.write('mesh/all.yaml', `${policy('guard', 'DENY')}---\n${service('a')}`);
    const watched = await start();
    const guard = watched.current().authorizationPolicies[0];
    folder.swap('mesh/all.yaml', `${policy('guard', 'DENI')}---\n${service('a', 81)}`);
    await until('port 81', () => watched.current().services[0]?.ports[0]?.port === 81);
    assert.ok(guard !== undefined && watched.current().authorizationPolicies[0] === guard);
    assert.ok(codes().includes('unknown-value') && codes().includes('last-good'));
    folder.swap('mesh/all.yaml', service('a', 81));
    await until('the policy is gone', () => watched.current().authorizationPolicies.length === 0);
  });

  it('a file that no longer parses keeps all its objects', async () => {
    folder.write('mesh/all.yaml', `${policy('guard', 'DENY')}---\n${service('a')}`);
    const watched = await start();
    folder.swap('mesh/all.yaml', `${policy('guard', 'DENY').replace('spec: {', 'spec: {[')}---\n${service('b')}`);
    await until('b', () => names() === 'a,b');
    assert.equal(watched.current().authorizationPolicies.length, 1);
    assert.ok(codes().includes('bad-yaml'));
    folder.swap('mesh/all.yaml', Buffer.from([0xff, 0xfe, 0x00]).toString('latin1'));
    await until('a diagnostic', () => codes().includes('last-good'));
    assert.equal(names(), 'a,b');
  });

  it('an object whose name went missing in a file that parses is not taken for deleted', async () => {
    folder.write('mesh/guard.yaml', policy('guard', 'DENY'));
    const watched = await start();
    folder.swap('mesh/guard.yaml', policy('guard', 'DENY').replace('name: guard', 'nam: guard'));
    await until('a diagnostic', () => codes().includes('missing-field'));
    assert.equal(watched.current().authorizationPolicies.length, 1);
  });

  it('a deleted file takes its objects along', async () => {
    folder.write('mesh/a.yaml', service('a'));
    folder.write('mesh/b.yaml', service('b'));
    await start();
    rmSync(folder.at('mesh/a.yaml'));
    await until('a is gone', () => names() === 'b');
  });

  it('waits for a folder that is not there, and follows one that is replaced', async () => {
    await start();
    assert.deepEqual(codes(), ['unreadable']);
    folder.write('mesh/a.yaml', service('a'));
    await until('a', () => names() === 'a');
    renameSync(folder.at('mesh'), folder.at('old'));
    folder.write('mesh/deep/er/b.yaml', service('b'));
    await until('b', () => names() === 'b');
    folder.write('mesh/deep/er/b.yaml', service('c'));
    await until('c', () => names() === 'c');
  });

  it('many writes at once are few snapshots, and none is lost', async () => {
    await start();
    for (let at = 0; at < 50; at += 1) folder.write(`mesh/s${at}.yaml`, service(`s${at}`));
    await until('all', () => mesh?.current().services.length === 50);
    assert.ok(snapshots.length < 25, `${snapshots.length} snapshots`);
    assert.deepEqual(
      snapshots.map(({ snapshot }) => snapshot.number),
      snapshots.map((_, at) => at + 2),
    );
  });

  it('does not start with a mesh configuration that is wrong, and keeps the last good one later', async () => {
    const config = folder.write('config.yaml', 'trustDomain: "not a domain"\n');
    const options = { paths: [folder.at('mesh')], meshConfigFile: config, log: pino({ level: 'silent' }) };
    await assert.rejects(watchMesh(options), /mesh configuration cannot be used[^]*trustDomain/);
    folder.swap('config.yaml', 'trustDomain: one.example\n');
    const watched = await watchMesh(options);
    mesh = watched;
    folder.swap('config.yaml', 'trustDomain: [\n');
    await until('a diagnostic', () => codes().includes('bad-yaml'));
    assert.equal(watched.current().meshConfig.trustDomain, 'one.example');
    folder.swap('config.yaml', 'trustDomain: two.example\n');
    await until('two', () => watched.current().meshConfig.trustDomain === 'two.example');
  });
});
