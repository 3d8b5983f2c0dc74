import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { RootBundle } from '../../sds/agent/root-bundle.ts';
import { systemTimers } from '../../sds/clock.ts';
import { eventually } from '../eventually.ts';
import { type KeyedCertificate, selfSignedRoot } from './authority.ts';
import { bundleOf, KeeperWorld } from './world.ts';

const pem = (root: KeyedCertificate): string => bundleOf(root).pem;

describe('sds: an identity while the root changes', () => {
  let world: KeeperWorld;
  beforeEach(async () => {
    world = await KeeperWorld.make(0.5);
    world.keeper.start();
    await world.settled(1);
  });
  afterEach(() => world.keeper.stop());

  it('renews soon when another root has become the one that signs', async () => {
    const [old, next] = [world.root, await selfSignedRoot()];
    world.root = next;
    world.bundle = bundleOf(old, next);
    world.keeper.bundleChanged();
    assert.ok((world.time.next() ?? 0) > 50_000, 'the old root signs: nothing to do');
    world.bundle = bundleOf(next, old);
    world.keeper.bundleChanged();
    await eventually('a planned renewal within the minute', () => ((world.time.next() ?? 60_000) <= 30_000 ? true : undefined));
    world.time.pass(30_000);
    await world.settled(2);
    const last = world.events.at(-1);
    assert.ok(last?.kind === 'issued' && last.svid.leaf.checkIssued(bundleOf(next).roots[0] ?? last.svid.leaf));
    assert.deepEqual(world.learned, []);
  });

  it('takes a certificate of a root that it did not know, if the answer brings that root, and gives the root on', async () => {
    const [old, next] = [world.root, await selfSignedRoot()];
    world.root = next;
    world.answerEnd = [pem(old) + pem(next)];
    world.keeper.revoked();
    await world.settled(2);
    assert.deepEqual(world.kinds(), ['issued', 'issued']);
    assert.deepEqual(world.learned, [bundleOf(old, next).pem]);
  });

  it('takes none of a root that nobody vouches for', async () => {
    world.root = await selfSignedRoot();
    world.answerEnd = [pem(await selfSignedRoot())];
    world.keeper.revoked();
    await world.settled(2);
    assert.deepEqual([world.kinds(), world.learned], [['issued', 'failed'], []]);
  });
});

describe('sds: the trust bundle of an agent', () => {
  let dir: string;
  let first: KeyedCertificate;
  let second: KeyedCertificate;
  const open: RootBundle[] = [];
  before(async () => {
    [first, second] = [await selfSignedRoot(), await selfSignedRoot()];
  });
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-roots-'));
    writeFileSync(join(dir, 'root-cert.pem'), pem(first));
  });
  afterEach(() => {
    for (const bundle of open.splice(0)) bundle.close();
    rmSync(dir, { recursive: true });
  });

  async function start(): Promise<{ readonly bundle: RootBundle; readonly changes: () => number }> {
    const bundle = new RootBundle(join(dir, 'root-cert.pem'), join(dir, 'trust-bundle.json'), pino({ level: 'silent' }));
    open.push(bundle);
    let changes = 0;
    await bundle.start(systemTimers, () => (changes += 1));
    return { bundle, changes: () => changes };
  }
  const both = (): string => bundleOf(first, second).pem;

  it("is the file's, then the control plane's, also after a restart", async () => {
    const { bundle, changes } = await start();
    assert.equal(bundle.current()?.pem, pem(first));
    assert.ok((await bundle.learn(both())).ok);
    assert.ok((await bundle.learn(both())).ok);
    assert.deepEqual([bundle.current()?.pem, changes()], [both(), 1]);
    assert.equal((await start()).bundle.current()?.pem, both());
  });

  it("is the file's again when somebody sets that anew, unless the control plane is there", async () => {
    const { bundle } = await start();
    await bundle.learn(both());
    writeFileSync(join(dir, 'root-cert.pem'), pem(second));
    assert.equal((await start()).bundle.current()?.pem, pem(second));
    await eventually('the file is taken', () => (bundle.current()?.pem === pem(second) ? true : undefined));
    await bundle.learn(both());
    bundle.setLive(true);
    const kept = readFileSync(join(dir, 'trust-bundle.json'), 'utf8');
    writeFileSync(join(dir, 'root-cert.pem'), pem(first));
    await eventually('the file is noticed', () =>
      readFileSync(join(dir, 'trust-bundle.json'), 'utf8') === kept ? undefined : true,
    );
    assert.equal(bundle.current()?.pem, both());
  });

  it('refuses what is no bundle, and a kept one that is damaged', async () => {
    const { bundle } = await start();
    assert.equal((await bundle.learn('no roots')).ok, false);
    assert.equal(bundle.current()?.pem, pem(first));
    writeFileSync(join(dir, 'trust-bundle.json'), '{"rootFile":');
    assert.equal((await start()).bundle.current()?.pem, pem(first));
  });
});
