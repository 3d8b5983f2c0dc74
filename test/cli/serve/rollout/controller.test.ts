// The running controller of rollouts with files: what holds it, what is kept, and what it does when its files fail it.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSpiffeId } from '../../../../ca/identity/spiffe-id.ts';
import { call, Place, START, wish } from './place.ts';

const record = (place: Place): string => join(place.ca, 'rollouts', 'shop.json');
const objects = (place: Place): string => join(place.mesh, 'rollout-shop.yaml');
const kept = (place: Place): { stage: string; history: readonly { to: string }[]; intent?: unknown } =>
  JSON.parse(readFileSync(record(place), 'utf8'));

describe('rollouts with files', () => {
  let place: Place;
  beforeEach(() => {
    place = new Place(undefined, {}, {});
  });
  afterEach(() => place.close());

  it('takes one stage after the other by command, each kept with who, why and what it rested on', async () => {
    const status = await place.reach('enforce');
    assert.deepEqual(
      status.history.map(({ number, from, to, cause, by, reason }) => [number, from, to, cause, by, reason]),
      [
        [3, 'dry-run', 'enforce', 'command', 'ann', 'because'],
        [2, 'strict', 'dry-run', 'command', 'ann', 'because'],
        [1, 'observe', 'strict', 'command', 'ann', 'because'],
      ],
    );
    assert.ok(status.history.every(({ gates }) => gates.length > 3 && gates.every(({ met }) => met)));
    assert.equal(statSync(record(place)).mode & 0o777, 0o600);
    const text = readFileSync(objects(place), 'utf8');
    assert.match(text, /name: rollout-users\n[^]*cluster.local\/ns\/shop\/sa\/web[^]*name: rollout-allow-nothing/);
    assert.doesNotMatch(text, /dry-run/);
  });

  it('refuses a step that something holds, unless it is forced with a reason, which is kept', async () => {
    place.proxies = { expected: 2, connected: 2, acked: 1, behind: ['users-2.shop has not accepted it yet'] };
    const refused = await place.advance();
    assert.ok(!refused.ok);
    assert.match(refused.heldBy.join(), /^proxies: .*users-2\.shop has not accepted it yet/);
    const silent = await place.advance('', true);
    assert.ok(!silent.ok && silent.error.includes('reason'));
    const forced = await place.advance('INC-1', true);
    assert.ok(forced.ok);
    assert.deepEqual(
      forced.status.history[0]?.gates.flatMap(({ gate, met }) => (met ? [] : [gate])),
      ['proxies'],
    );
  });

  it('goes on where it was after a restart', async () => {
    const before = await place.reach('dry-run');
    await place.rollouts.close();
    const after = await place.open().status('shop');
    assert.deepEqual([after?.stage, after?.history], [before.stage, before.history]);
  });

  it('what was changed by hand in its file, or the file, is put back, and said', async () => {
    await place.reach('enforce');
    await place.tick();
    const text = readFileSync(objects(place), 'utf8');
    writeFileSync(objects(place), text.replaceAll('shop/sa/web', 'shop/sa/*'));
    place.reread();
    await place.tick();
    assert.equal(readFileSync(objects(place), 'utf8'), text);
    rmSync(objects(place));
    place.reread();
    await place.tick();
    assert.equal(readFileSync(objects(place), 'utf8'), text);
    assert.equal(place.told.filter((line) => line.includes('changed by hand')).length, 2);
  });

  it('paused, it repairs nothing and takes no step; going back still works', async () => {
    await place.reach('enforce');
    await place.rollouts.order('shop', { kind: 'pause', by: 'ann', reason: 'release week' });
    const back = await place.rollouts.order('shop', { kind: 'rollback', by: 'ann', reason: 'refused' });
    assert.ok(back.ok && back.status.stage === 'dry-run' && back.status.paused);
    const on = await place.advance();
    assert.ok(!on.ok && on.heldBy.some((text) => text.includes('paused by ann: release week')));
  });

  it('a NamespaceRollout that is deleted leaves its objects in force; one that comes back goes on', async () => {
    await place.reach('enforce');
    const text = readFileSync(objects(place), 'utf8');
    place.remove('wish.yaml');
    await place.tick();
    assert.equal(await place.rollouts.status('shop'), undefined);
    assert.equal(readFileSync(objects(place), 'utf8'), text);
    place.put('wish.yaml', wish());
    place.reread();
    const status = await place.tick();
    assert.deepEqual([status?.stage, status?.history.length], ['enforce', 3]);
  });

  it('a state that was lost does not open the namespace: what is there counts', async () => {
    await place.reach('enforce');
    const text = readFileSync(objects(place), 'utf8');
    await place.rollouts.close();
    rmSync(record(place));
    place.open();
    const status = await place.tick();
    assert.equal(status?.stage, 'enforce');
    assert.equal(readFileSync(objects(place), 'utf8'), text);
  });

  it('a state that is damaged changes nothing, and says what to do', async () => {
    await place.reach('enforce');
    const text = readFileSync(objects(place), 'utf8');
    await place.rollouts.close();
    writeFileSync(record(place), readFileSync(record(place), 'utf8').slice(0, 100));
    place.open();
    const status = await place.tick();
    assert.match(status?.heldBy[0] ?? '', /shop\.json cannot be read as the state of a rollout; .* restored from a backup/);
    const answer = await place.rollouts.order('shop', { kind: 'rollback', by: 'ann', reason: 'help' });
    assert.ok(!answer.ok && answer.error.includes('cannot be read'));
    assert.equal(readFileSync(objects(place), 'utf8'), text);
  });

  it('a store that cannot be read holds every step, but no rollback', async () => {
    await place.reach('strict');
    place.unreachable = 'database is locked';
    const held = await place.advance();
    assert.ok(!held.ok && held.heldBy.some((text) => /record-complete.*cannot be read: database is locked/.test(text)));
    const back = await place.rollouts.order('shop', { kind: 'rollback', by: 'ann', reason: '' });
    assert.ok(back.ok && back.status.stage === 'observe');
    assert.equal(existsSync(objects(place)), false);
  });

  for (const [what, jumpMs, elapsedMs] of [
    ['set forward', 86_400_000, 1_000],
    ['set back', -86_400_000, 1_000],
  ] as const)
    it(`a clock that is ${what} is no evidence`, async () => {
      await place.tick();
      assert.deepEqual((await place.rollouts.status('shop'))?.heldBy, []);
      place.pass(elapsedMs);
      place.now += jumpMs;
      const status = await place.rollouts.status('shop');
      assert.ok(
        status?.gates.some(({ gate, met }) => gate === 'observed-for' && !met),
        JSON.stringify(status?.gates),
      );
    });

  it('where it only proposes nothing is written, and what somebody commits is noticed', async () => {
    place.put('wish.yaml', wish({ advance: 'Propose' }));
    place.reread();
    const refused = await place.advance();
    assert.ok(!refused.ok && refused.error.includes('plan shop -o yaml'));
    const planned = await place.rollouts.plan('shop');
    assert.ok(planned.ok && planned.plan.objects.length === 1);
    assert.equal(existsSync(objects(place)), false);
    place.put('mine.yaml', JSON.stringify(planned.plan.objects[0]));
    place.reread();
    const status = await place.tick();
    assert.deepEqual([status?.stage, status?.history[0]?.cause], ['strict', 'noticed']);
    assert.equal(existsSync(objects(place)), false);
  });

  it('who is no leader answers and does nothing', async () => {
    place.leader = false;
    const answer = await place.advance();
    assert.ok(!answer.ok && answer.error.includes('another replica'));
    await place.tick();
    assert.equal(existsSync(record(place)), false);
    assert.equal((await place.rollouts.status('shop'))?.stage, 'observe');
  });

  it('calls that a step refuses take it back at once, from the live record', async () => {
    await place.reach('enforce');
    await place.tick();
    place.pass(5_000);
    place.rollouts.observe(
      Array.from({ length: 3 }, () => ({
        time: place.now,
        side: 'inbound' as const,
        hop: 'in' as const,
        source: { principal: principal('web'), workload: 'shop/web', address: '10.0.0.1' },
        destination: { principal: principal('users'), workload: 'shop/users', address: '10.0.0.2' },
        destinationMeshed: true,
        reached: true,
        service: 'users.shop.svc.cluster.local',
        port: 8080,
        protocol: 'HTTP/1.1' as const,
        method: 'GET',
        path: '/users/7',
        template: '/users/{id}',
        status: 403,
        durationUs: 1,
        bytesReceived: 0,
        bytesSent: 0,
        mtls: true,
        verdict: { kind: 'denied-no-rule' as const, policies: ['shop/rollout-users'] },
        flags: [],
      })),
    );
    const status = await place.tick();
    assert.deepEqual([status?.stage, status?.history[0]?.cause], ['dry-run', 'rollback-automatic']);
    assert.match(status?.history[0]?.reason ?? '', /3 calls as were let through before were denied/);
    assert.match(readFileSync(objects(place), 'utf8'), /istio.io\/dry-run: "true"/);
  });

  describe('full disks and folders that cannot be written', () => {
    const full = (): Promise<never> => Promise.reject(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }));

    it('without a state that is kept nothing is done', async () => {
      await place.rollouts.close();
      place.open({ states: (real) => ({ load: (namespace) => real.load(namespace), save: full }) });
      const answer = await place.advance();
      assert.ok(!answer.ok);
      assert.equal(existsSync(objects(place)), false);
      const status = await place.rollouts.status('shop');
      assert.match(status?.heldBy[0] ?? '', /no space left/);
      assert.equal(place.told.filter((line) => line.includes('cannot go on')).length, 1);
    });

    it('objects that cannot be written leave the step under way, which is taken once they can', async () => {
      let broken = true;
      await place.reach('strict');
      const strict = readFileSync(objects(place), 'utf8');
      await place.rollouts.close();
      place.open({
        objects: (real) => ({ ...real, write: (...all) => (broken ? full() : real.write(...all)) }),
      });
      const answer = await place.advance();
      assert.ok(!answer.ok && answer.error.includes('no space left'));
      assert.equal(readFileSync(objects(place), 'utf8'), strict);
      assert.deepEqual([kept(place).stage, kept(place).intent !== undefined], ['strict', true]);
      broken = false;
      const status = await place.tick();
      assert.deepEqual([status?.stage, status?.history.length, kept(place).intent], ['dry-run', 2, undefined]);
    });
  });

  it('knows calls from before the NamespaceRollout came', async () => {
    place.calls = [call({ firstSeen: START - 3_000_000, lastSeen: START - 30_000 })];
    const status = await place.rollouts.status('shop');
    assert.deepEqual(status?.heldBy, []);
  });
});

function principal(account: string) {
  const id = parseSpiffeId(`spiffe://cluster.local/ns/shop/sa/${account}`);
  assert.ok(id.ok);
  return id.value;
}
