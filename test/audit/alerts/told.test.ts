// Replicas that share a store tell each thing once in total, on both engines; where the store is away, each tells.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { AlertRules } from '../../../audit/alerts/rules.ts';
import type { AccessRecord } from '../../../audit/model/record.ts';
import type { StoreLocation } from '../../../audit/store/location.ts';
import { openToldStore, type ToldStore } from '../../../audit/store/told.ts';
import { sharedClaims } from '../../../cli/serve/alerts/claims.ts';
import type { Webhook } from '../../../cli/serve/alerts/settings.ts';
import { type RunningAlerts, startAlerts } from '../../../cli/serve/alerts/start.ts';
import { snapshotOf } from '../../up/snapshot.ts';
import { eventually } from '../../eventually.ts';
import { record } from '../edges.ts';
import { TestAuthority } from '../envoy/certificates.ts';
import { onBothEngines } from '../store/both-engines.ts';
import { id, NOW } from '../world.ts';
import { Receiver } from './receiver.ts';

const HOUR = 3_600_000;
const NEVER = Number.POSITIVE_INFINITY;
const log = pino({ level: 'silent' });
const nothing = snapshotOf('');
const NEW: AlertRules = { newEdge: { namespaces: undefined, learnMs: 0 }, plainText: undefined, denialSpike: undefined };

const call = (name: string): AccessRecord =>
  record({ source: { principal: id(`ns/shop/sa/${name}`), workload: `shop/${name}`, address: '10.0.0.2' } });
const said = (name: string): string => `shop/${name} called shop/app for the first time`;

interface Place {
  readonly location: StoreLocation;
  close(): Promise<void>;
}

function contractOf(name: string, makePlace: () => Promise<Place>): void {
  describe(`alerts of several replicas: ${name}`, function () {
    this.timeout(60_000);
    const dir = mkdtempSync(join(tmpdir(), 'gh-told-'));
    let place: Place;
    let receiver: Receiver;
    let webhook: Webhook;
    let authority: TestAuthority;
    let files = 0;
    const replicas: RunningAlerts[] = [];
    const stores: ToldStore[] = [];

    before(async () => {
      authority = await TestAuthority.create();
    });
    beforeEach(async () => {
      place = await makePlace();
      receiver = await Receiver.start(await authority.issueForHost('localhost'));
      webhook = {
        name: 'test',
        url: new URL(`https://localhost:${String(receiver.port)}/`),
        secret: undefined,
        authorities: authority.root,
        timeoutMs: 5_000,
      };
    });
    afterEach(async () => {
      for (const one of replicas.splice(0)) one.close();
      for (const one of stores.splice(0)) await one.close();
      await receiver.stop();
      await place.close();
    });
    after(() => rmSync(dir, { recursive: true, force: true }));

    const told = async (): Promise<ToldStore> => {
      const store = await openToldStore(place.location, () => NOW);
      stores.push(store);
      return store;
    };
    const replica = (rules = NEW, clock = () => new Date(), open = () => openToldStore(place.location, clock)): RunningAlerts => {
      const made = startAlerts(
        { rules, webhooks: [webhook] },
        {
          file: join(dir, `${String(files++)}.db`),
          snapshot: () => nothing,
          clock,
          log,
          claims: sharedClaims({ open, clock, log }),
        },
      );
      replicas.push(made);
      return made;
    };
    const summaries = (): readonly string[] =>
      receiver.received.map(({ body }) => {
        const { summary }: { readonly summary: string } = JSON.parse(body);
        return summary;
      });

    it('each key is one replica’s, however many ask at once, and again when its time has passed', async () => {
      const [one, other] = [await told(), await told()];
      const keys = Array.from({ length: 250 }, (_, index) => ({ key: `edge ${String(index)}`, againMs: NEVER }));
      const now = NOW.getTime();
      const [mine, yours] = await Promise.all([one.claim(keys, now), other.claim(keys.toReversed(), now)]);
      assert.equal(mine.size + yours.size, 250);
      assert.ok([...mine].every((key) => !yours.has(key)));
      assert.deepEqual([...(await other.claim(keys, now + 1000 * HOUR))], []);
      const again = [{ key: 'plain', againMs: HOUR }];
      assert.equal((await one.claim(again, now)).size, 1);
      assert.equal((await other.claim(again, now + HOUR - 1)).size, 0);
      assert.equal((await other.claim(again, now + HOUR)).size, 1);
      assert.equal((await one.claim(again, now + HOUR + 1)).size, 0, 'counted from when it was told last');
    });

    it('the beginning is that of whoever began first', async () => {
      const [one, other] = [await told(), await told()];
      assert.deepEqual([await one.since(2_000), await other.since(3_000), await other.since(1_000)], [2_000, 2_000, 1_000]);
      assert.equal(await one.since(2_000), 1_000);
    });

    it('a first call is told once in total, and what one has learnt the other does not tell', async () => {
      const [one, other] = [replica(), replica()];
      one.observe([call('a'), call('b')]);
      other.observe([call('b'), call('a')]);
      await eventually('two alerts', () => (receiver.received.length >= 2 ? true : undefined));
      other.observe([call('a'), call('c')]);
      await eventually('the third', () => (receiver.received.length >= 3 ? true : undefined));
      one.observe([call('c'), call('d')]);
      await eventually('the last', () => (summaries().includes(said('d')) ? true : undefined));
      assert.deepEqual([...summaries()].sort(), ['a', 'b', 'c', 'd'].map(said));
      for (const each of [one, other])
        await eventually('nothing waits', () => (each.stats().webhooks.get('test')?.waiting === 0 ? true : undefined));
    });

    it('a replica that comes later learns no longer than the first, and tells nothing that the first has learnt', async () => {
      const rules: AlertRules = { ...NEW, newEdge: { namespaces: undefined, learnMs: HOUR } };
      let now = Date.now();
      const clock = (): Date => new Date(now);
      const claimed: string[] = [];
      const first = replica(rules, clock, async () => {
        const store = await openToldStore(place.location, clock);
        return {
          ...store,
          claim: async (claims, at) => {
            const mine = await store.claim(claims, at);
            claimed.push(...mine);
            return mine;
          },
        };
      });
      first.observe([call('known')]);
      await eventually('it was learnt', () => (claimed.length === 1 ? true : undefined));
      now += 2 * HOUR;
      const second = replica(rules, clock);
      second.observe([call('known'), call('new')]);
      await eventually('one alert', () => (receiver.received.length >= 1 ? true : undefined));
      first.observe([call('new'), call('other')]);
      await eventually('another', () => (receiver.received.length >= 2 ? true : undefined));
      assert.deepEqual(summaries(), [said('new'), said('other')]);
    });

    it('where the store is away each tells, with the same id', async () => {
      const away = (): Promise<ToldStore> => Promise.reject(new Error('nobody there'));
      const [one, other] = [replica(NEW, undefined, away), replica(NEW, undefined, away)];
      one.observe([call('a')]);
      other.observe([call('a')]);
      await eventually('two', () => (receiver.received.length >= 2 ? true : undefined));
      assert.equal(new Set(receiver.received.map(({ headers }) => headers['gatehouse-alert-id'])).size, 1);
    });
  });
}

onBothEngines('alerts of several replicas', contractOf);
