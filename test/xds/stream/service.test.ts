import assert from 'node:assert/strict';
import { status } from '@grpc/grpc-js';
import { parsed, refused } from '../../../ca/identity/parsed.ts';
import { CLUSTER, ENDPOINTS, LISTENER, resourceSet, ROUTES } from '../../../xds/resource-set.ts';
import { eventually } from '../../eventually.ts';
import { type Content, fake, fakeAny, setOf } from '../resources.ts';
import { DeltaClient, SotwClient } from './client.ts';
import { cuttable } from './cuttable.ts';
import { NODE, type Running, type Setup, SHOP, startServer, TestTimers } from './server.ts';

const ONE: Content = { clusters: { a: '1' }, endpoints: { a: '1' }, listeners: { l: '1' }, routes: { r: '1' } };

describe('discovery service', () => {
  const clean: (() => void)[] = [];
  afterEach(() => {
    for (const task of clean.splice(0).reverse()) task();
  });

  async function start(setup: Setup = {}): Promise<Running> {
    const running = await startServer(setup);
    clean.push(() => running.stop());
    return running;
  }
  function delta(server: Running): DeltaClient {
    const client = new DeltaClient(server.address);
    clean.push(() => client.close());
    return client;
  }
  function sotw(server: Running): SotwClient {
    const client = new SotwClient(server.address);
    clean.push(() => client.close());
    return client;
  }
  const acknowledged = (server: Running, snapshot: number): Promise<true> =>
    eventually(`snapshot ${snapshot} is acknowledged`, () => ((server.only()?.acknowledged ?? 0) >= snapshot ? true : undefined));

  /** A delta client that has accepted clusters and listeners of snapshot 1. */
  async function settled(server: Running, content: Content = ONE): Promise<DeltaClient> {
    server.source.publish(setOf(content));
    const client = delta(server);
    for (const type of [CLUSTER, LISTENER]) {
      client.ask(type);
      client.answer(await client.next());
    }
    await acknowledged(server, 1);
    return client;
  }

  it('serves delta, and knows who has what', async () => {
    const server = await start();
    const client = await settled(server);
    client.ask(ROUTES, ['r']);
    const routes = await client.next();
    assert.deepEqual(
      routes.resources.map(({ name, version }) => [name, version]),
      [['r', 'r@1']],
    );
    client.answer(routes);
    const snapshot = server.source.publish(setOf({ ...ONE, listeners: { l: '2' } }));
    const response = await client.next();
    assert.equal(response.typeUrl, LISTENER);
    assert.equal(server.only()?.acknowledged, 1);
    client.answer(response);
    await acknowledged(server, snapshot);
    const found = server.only();
    assert.equal(found?.node, NODE);
    assert.equal(found.identity, SHOP);
    assert.equal(found.variant, 'delta');
    assert.equal(found.known, true);
    assert.deepEqual(found.rejected, []);
    assert.equal(found.sent.responses, 4);
    assert.ok(found.sent.bytes > 0);
    assert.deepEqual(server.source.claims[0], { kind: 'sidecar', namespace: 'shop', pod: 'web-1', identity: SHOP });
  });

  it('serves state of the world', async () => {
    const server = await start();
    server.source.publish(setOf(ONE));
    const client = sotw(server);
    client.ask(CLUSTER);
    client.answer(await client.next());
    client.ask(ENDPOINTS, ['a']);
    client.answer(await client.next(), ['a']);
    client.ask(LISTENER);
    client.answer(await client.next());
    await acknowledged(server, 1);
    server.source.publish(setOf({ ...ONE, clusters: { a: '1', b: '1' } }));
    const response = await client.next();
    assert.equal(response.resources.length, 2);
    client.answer(response);
    await acknowledged(server, 2);
  });

  it('counts a snapshot that changes nothing as acknowledged at once', async () => {
    const server = await start();
    const client = await settled(server);
    const snapshot = server.source.publish(setOf(ONE));
    await acknowledged(server, snapshot);
    assert.equal(client.responses.length, 0);
  });

  it('keeps the stream of an unknown pod open, and answers when a snapshot has it', async () => {
    const server = await start();
    const client = delta(server);
    client.ask(CLUSTER);
    await eventually('the stream is open', () => server.only());
    assert.equal(server.only()?.known, false);
    server.source.publish(setOf(ONE));
    assert.equal((await client.next()).resources[0]?.name, 'a');
    assert.equal(server.only()?.known, true);
  });

  it('refuses who has no certificate', async () => {
    const server = await start({ authenticate: () => refused('no client certificate') });
    const client = delta(server);
    client.ask(CLUSTER);
    assert.deepEqual(await client.end(), { code: status.UNAUTHENTICATED, details: 'no client certificate' });
    assert.deepEqual(server.service.streams(), []);
  });

  it("refuses to serve another identity's pod, at once and when a later snapshot says so", async () => {
    const server = await start();
    server.source.answers.set('web-2', { kind: 'refused', reason: 'web-2 runs as another' });
    const stranger = delta(server);
    stranger.ask(CLUSTER, [], 'sidecar~127.0.0.1~web-2.shop~shop.svc.cluster.local');
    assert.deepEqual(await stranger.end(), { code: status.PERMISSION_DENIED, details: 'web-2 runs as another' });
    const client = await settled(server);
    server.source.answers.set('web-1', { kind: 'refused', reason: 'no longer yours' });
    server.source.publish(setOf(ONE));
    assert.equal((await client.end()).code, status.PERMISSION_DENIED);
  });

  it('refuses bad node ids and a node id that changes', async () => {
    const server = await start();
    const bad = delta(server);
    bad.ask(CLUSTER, [], 'sidecar~nowhere~web-1.shop~x');
    assert.equal((await bad.end()).code, status.INVALID_ARGUMENT);
    const none = sotw(server);
    none.send({ typeUrl: CLUSTER });
    assert.equal((await none.end()).code, status.INVALID_ARGUMENT);
    const other = delta(server);
    other.ask(CLUSTER);
    other.ask(LISTENER, [], 'sidecar~127.0.0.1~web-2.shop~shop.svc.cluster.local');
    assert.equal((await other.end()).code, status.INVALID_ARGUMENT);
  });

  it('refuses what is no request, and too many names', async () => {
    const server = await start({ limits: { names: 3, nameLength: 10 } });
    const garbage = delta(server);
    garbage.call.write(Buffer.from([0xff, 0xff, 0xff]));
    assert.equal((await garbage.end()).code, status.INVALID_ARGUMENT);
    const many = sotw(server);
    many.ask(ENDPOINTS, ['a', 'b', 'c', 'd']);
    assert.equal((await many.end()).code, status.INVALID_ARGUMENT);
    const long = sotw(server);
    long.ask(ENDPOINTS, ['a-very-long-name']);
    assert.equal((await long.end()).code, status.INVALID_ARGUMENT);
    const slowly = delta(server);
    slowly.ask(ENDPOINTS, ['a', 'b']);
    slowly.ask(ENDPOINTS, ['c', 'd']);
    assert.equal((await slowly.end()).code, status.RESOURCE_EXHAUSTED);
  });

  it('ends a stream that asks and asks and never acknowledges', async () => {
    const server = await start({ limits: { outstanding: 20 } });
    server.source.publish(setOf(ONE));
    const client = delta(server);
    for (let count = 0; count <= 20; count += 1) client.ask(ENDPOINTS, ['a']);
    assert.equal((await client.end()).code, status.RESOURCE_EXHAUSTED);
  });

  it('asks for virtual hosts inline where Envoy says that it is too old for others', async () => {
    const server = await start();
    const build = (majorNumber: number, minorNumber: number) =>
      ({ case: 'userAgentBuildVersion', value: { version: { majorNumber, minorNumber, patch: 4 } } }) as const;
    for (const userAgentVersionType of [build(1, 36), build(1, 37), build(2, 0), undefined])
      delta(server).send({ node: { id: NODE, ...(userAgentVersionType && { userAgentVersionType }) }, typeUrl: CLUSTER });
    await eventually('four claims', () => (server.source.claims.length >= 4 ? true : undefined));
    const inline = server.source.claims.filter((claim) => claim.kind !== 'agent' && claim.hostsInline === true);
    assert.equal(inline.length, 1);
  });

  it('bounds the streams of one identity; of one pod the oldest gives way', async () => {
    const server = await start({ limits: { streamsPerIdentity: 3, streamsPerNode: 2 } });
    const clients: DeltaClient[] = [];
    for (let count = 1; count <= 3; count += 1) {
      const client = delta(server);
      clients.push(client);
      client.ask(CLUSTER);
      await eventually('the stream is counted', () => (server.source.claims.length === count ? true : undefined));
    }
    const [first] = clients;
    assert.ok(first);
    assert.equal((await first.end()).code, status.ABORTED);
    assert.equal(server.service.streams().length, 2);
    const other = delta(server);
    other.ask(CLUSTER, [], 'sidecar~127.0.0.1~web-2.shop~shop.svc.cluster.local');
    await eventually('the third stream is open', () => (server.service.streams().length === 3 ? true : undefined));
    const late = delta(server);
    assert.equal((await late.end()).code, status.RESOURCE_EXHAUSTED);
  });

  it('ends a stream on which no request comes', async () => {
    const timers = new TestTimers();
    const server = await start({ timers });
    const client = delta(server);
    await eventually('the stream is open', () => timers.waiting[0]);
    timers.fire(15_000);
    assert.equal((await client.end()).code, status.DEADLINE_EXCEEDED);
  });

  it('keeps a NACK in the status and in the log, and sends the same bytes no more', async () => {
    const server = await start();
    const client = await settled(server);
    server.source.publish(setOf({ ...ONE, listeners: { l: 'bad' } }));
    client.answer(await client.next(), 'l: no such filter');
    await acknowledged(server, 2);
    assert.deepEqual(server.only()?.rejected, [{ typeUrl: LISTENER, name: 'l', message: 'l: no such filter' }]);
    const [line] = server.warnings;
    assert.equal(line?.['node'], NODE);
    assert.equal(line['typeUrl'], LISTENER);
    assert.deepEqual(line['resources'], ['l']);
    assert.equal(line['message'], 'l: no such filter');
    await acknowledged(server, server.source.publish(setOf({ ...ONE, listeners: { l: 'bad' } })));
    assert.equal(client.responses.length, 0);
    server.source.publish(setOf({ ...ONE, listeners: { l: 'good' } }));
    client.answer(await client.next());
    await acknowledged(server, 4);
    assert.deepEqual(server.only()?.rejected, []);
  });

  it("finds the name in Envoy's words where a whole type was refused", async () => {
    const server = await start();
    server.source.publish(setOf(ONE));
    const client = sotw(server);
    client.ask(LISTENER);
    client.answer(await client.next(), [], 'Error adding/updating listener(s) l: no such filter');
    await acknowledged(server, 1);
    assert.equal(server.only()?.rejected[0]?.name, 'l');
  });

  it('ignores types that it does not serve', async () => {
    const server = await start();
    const client = await settled(server);
    client.ask('type.googleapis.com/envoy.service.runtime.v3.Runtime');
    client.ask(ROUTES, ['r']);
    assert.equal((await client.next()).typeUrl, ROUTES);
  });

  it('gives what is held back to a client that does not acknowledge, after a time', async () => {
    const timers = new TestTimers();
    const server = await start({ timers });
    const client = await settled(server);
    server.source.publish(setOf({ ...ONE, clusters: { a: '2' }, listeners: { l: '2' } }));
    assert.equal((await client.next()).typeUrl, CLUSTER);
    await eventually('the timer runs', () => timers.waiting.find(({ ms }) => ms === 10_000));
    assert.equal(client.responses.length, 0);
    timers.fire(10_000);
    assert.equal((await client.next()).typeUrl, LISTENER);
  });

  it('gives a client that does not read the newest snapshot, not all of them', async () => {
    const server = await start();
    const client = await settled(server, { ...ONE, clusters: {} });
    client.call.pause();
    const big = (content: number) =>
      resourceSet({
        [CLUSTER]: [{ ...fake('big', String(content)), any: fakeAny(Buffer.alloc(3 << 20, content)) }],
        [LISTENER]: [fake('l')],
      });
    for (let content = 1; content <= 50; content += 1) {
      const snapshot = server.source.publish(big(content));
      if (content === 1)
        await eventually('the first is under way', () => ((server.only()?.sent.bytes ?? 0) > 3 << 20 ? true : undefined));
      else await new Promise(setImmediate);
      assert.equal(snapshot, content + 1);
    }
    const sent = server.only()?.sent.bytes ?? 0;
    assert.ok(sent < 7 << 20, `${sent} bytes were given to a client that does not read`);
    client.call.resume();
    const versions: string[] = [];
    while (versions.at(-1) !== 'big@50') {
      const response = await client.next();
      versions.push(...response.resources.map(({ version }) => version));
      client.answer(response);
    }
    assert.ok(versions.length <= 3, versions.join(' '));
    await acknowledged(server, 51);
  });

  it('tells what went over a stream, where each resource stands, and how long a proxy took', async () => {
    let now = 1_000_000;
    const told: string[] = [];
    const short = (type: string): string => type.slice(type.lastIndexOf('.') + 1);
    const server = await start({
      clock: () => new Date(now),
      observer: {
        sent: (type, variant, resources, bytes) => told.push(`${variant} ${short(type)} ${resources} ${bytes > 0}`),
        answered: (type, variant, accepted) => told.push(`${variant} ${short(type)} ${accepted ? 'ACK' : 'NACK'}`),
        converged: (ms) => told.push(`converged ${ms}`),
      },
    });
    const client = await settled(server);
    assert.deepEqual(told.splice(0), [
      'delta Cluster 1 true',
      'delta Cluster ACK',
      'delta Listener 1 true',
      'delta Listener ACK',
    ]);
    assert.equal(server.only()?.waitingSince, undefined);
    const standing = () =>
      server.service
        .holdings('shop', 'web-1', [CLUSTER, LISTENER])
        ?.map(({ resource, standing: { kind } }) => [resource.version, kind]);
    assert.deepEqual(standing(), [
      ['a@1', 'acknowledged'],
      ['l@1', 'acknowledged'],
    ]);
    server.source.publish(setOf({ ...ONE, clusters: { a: '2' }, listeners: { l: '2' } }));
    const cluster = await client.next();
    assert.deepEqual(standing(), [
      ['a@2', 'sent'],
      ['l@2', 'waiting'],
    ]);
    now += 500;
    client.answer(cluster);
    const listener = await client.next();
    assert.deepEqual(server.only()?.waitingSince, new Date(1_000_000));
    assert.equal(server.service.oldestAccepted(), 1);
    now += 250;
    client.answer(listener, 'l: no');
    await acknowledged(server, 2);
    assert.equal(server.only()?.waitingSince, undefined);
    assert.deepEqual(standing(), [
      ['a@2', 'acknowledged'],
      ['l@2', 'rejected'],
    ]);
    assert.equal(told.at(-1), 'converged 750');
    const [, listeners] = server.only()?.subscriptions ?? [];
    assert.equal(listeners?.responses, 2);
    assert.equal(listeners.accepted, 1);
    assert.equal(listeners.rejected, 1);
    assert.deepEqual(listeners.lastAnswered, new Date(1_000_750));
    told.length = 0;
    await acknowledged(server, server.source.publish(setOf({ ...ONE, clusters: { a: '2' }, listeners: { l: '2' } })));
    assert.deepEqual(told, [], 'what changes nothing for a proxy is not counted');
    assert.equal(server.service.holdings('shop', 'other', [CLUSTER]), undefined);
  });

  it('says where resources stand in state of the world', async () => {
    const server = await start();
    server.source.publish(setOf({ ...ONE, listeners: { l: '1', m: '1' } }));
    const client = sotw(server);
    client.ask(LISTENER);
    const first = await client.next();
    const standing = () =>
      server.service.holdings('shop', 'web-1', [LISTENER])?.map(({ resource, standing: { kind } }) => [resource.name, kind]);
    assert.deepEqual(standing(), [
      ['l', 'sent'],
      ['m', 'sent'],
    ]);
    client.answer(first, [], 'Error adding/updating listener(s) l: no such filter');
    await acknowledged(server, 1);
    assert.deepEqual(standing(), [
      ['l', 'rejected'],
      ['m', 'acknowledged'],
    ]);
  });

  it('gives others their turn between the first configurations of many proxies that come at once', async () => {
    const server = await start({ limits: { streamsPerNode: 100 } });
    server.source.publish(setOf(ONE));
    let turn = 0;
    let counting = true;
    const count = (): void => {
      turn += 1;
      if (counting) setImmediate(count);
    };
    const turns = new Set<number>();
    const resourcesFor = server.source.resourcesFor.bind(server.source);
    server.source.resourcesFor = (claim) => {
      turns.add(turn);
      // What a first composition costs: more than a slice.
      for (const end = performance.now() + 4; performance.now() < end;);
      return resourcesFor(claim);
    };
    const clients = Array.from({ length: 40 }, () => delta(server));
    for (const client of clients) client.ask(CLUSTER);
    count();
    try {
      for (const client of clients) assert.equal((await client.next()).resources.length, 1);
    } finally {
      counting = false;
    }
    assert.equal(turns.size, clients.length);
  });

  it('keeps a proxy that cannot be compiled for on what it has', async () => {
    const server = await start();
    const client = await settled(server);
    server.source.failure = new Error('a bug in a compiler');
    server.source.publish(setOf({ ...ONE, listeners: { l: '2' } }));
    await eventually('the failure is logged', () => server.warnings[0]);
    server.source.failure = undefined;
    server.source.publish(setOf({ ...ONE, listeners: { l: '3' } }));
    assert.equal((await client.next()).resources[0]?.version, 'l@3');
  });

  it('lets go of a peer that is gone without a word', async () => {
    const server = await start({ channel: { 'grpc.keepalive_time_ms': 100, 'grpc.keepalive_timeout_ms': 100 } });
    const wire = await cuttable(server.address);
    clean.push(() => wire.close());
    const client = new DeltaClient(wire.address);
    clean.push(() => client.close());
    client.ask(CLUSTER);
    await eventually('the stream is open', () => server.only());
    wire.freeze();
    await eventually('the stream is gone', () => (server.only() === undefined ? true : undefined));
  });

  it('authenticates streams once more when told to, and ends those that are refused now', async () => {
    const revoked = new Set<string>();
    let streams = 0;
    const serials = new Map<unknown, string>();
    const server = await start({
      authenticate: (call) => {
        const serial = serials.get(call) ?? `serial-${String((streams += 1))}`;
        serials.set(call, serial);
        return revoked.has(serial) ? refused(`${serial} was revoked`) : parsed(SHOP);
      },
    });
    const cut = await settled(server);
    const other = delta(server);
    other.ask(CLUSTER, [], 'sidecar~127.0.0.1~web-2.shop~shop.svc.cluster.local');
    await other.next();
    revoked.add('serial-1');
    server.service.reauthenticate();
    assert.deepEqual(await cut.end(), { code: status.UNAUTHENTICATED, details: 'serial-1 was revoked' });
    assert.equal(other.ended, undefined);
    assert.equal(server.service.streams().length, 1);
  });

  it('on close ends streams with UNAVAILABLE, takes no more, and lets go of the source', async () => {
    const server = await start();
    const client = await settled(server);
    await server.service.close();
    assert.equal((await client.end()).code, status.UNAVAILABLE);
    assert.deepEqual(server.service.streams(), []);
    assert.equal(server.source.listening, 0);
    const late = delta(server);
    assert.equal((await late.end()).code, status.UNAVAILABLE);
  });
});
