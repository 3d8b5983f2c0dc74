import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../eventually.ts';
import { below, randomOf } from '../../fuzz/random.ts';
import { APP_NODE, EDGE_NODE } from '../world.ts';
import {
  type Agent,
  type Certificates,
  certificates,
  type ControlPlane,
  countOf,
  startAgent,
  startControlPlane,
  stored,
} from './world.ts';

describe('audit: the log through an agent', function () {
  this.timeout(120_000);
  let issued: Certificates;
  let folder = '';
  let file = '';
  const agents: Agent[] = [];
  const running: ControlPlane[] = [];
  before(async () => {
    issued = await certificates();
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-relay-'));
    file = join(folder, 'audit.db');
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) {
      await agent.close();
      await agent.log.stop(0);
    }
    for (const one of running.splice(0)) await one.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  const control = async (options: Parameters<typeof startControlPlane>[2] = {}): Promise<ControlPlane> => {
    const started = await startControlPlane(file, issued, options);
    running.push(started);
    return started;
  };
  const agent = async (name: string, change: Parameters<typeof startAgent>[3] = {}): Promise<Agent> => {
    const started = await startAgent(folder, name, issued, change);
    agents.push(started);
    return started;
  };
  const counted = (count: number): Promise<unknown> =>
    eventually(`${count} calls in the store`, async () => {
      const now = await countOf(file).catch(() => 0);
      assert.ok(now <= count, `${now} calls where ${count} were made`);
      return now === count ? true : undefined;
    });
  const spooled = (): readonly string[] => readdirSync(join(folder, 'logs'));

  const SEED = 20_261_121;
  it(`counts each record once, whenever the control plane is killed (seed ${SEED})`, async () => {
    const random = randomOf(SEED, 0);
    const next = (limit: number): number => below(random, limit);
    const app = await agent('app');
    let now = await control();
    let sent = 0;
    for (let round = 0; round < 25; round++) {
      // Sometimes before anything came, sometimes between the store's word and the agent's hearing of it.
      const settled = next(4);
      now.diesAfterWrite = settled === 3;
      app.port = now.port;
      for (let message = 0; message < 1 + next(30); message++) {
        const calls = 1 + next(8);
        app.envoy.send(calls);
        sent += calls;
        if (next(10) === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      if (settled === 3) await eventually('the end', () => (now.storeWorks ? undefined : true));
      if (settled === 1) await eventually('a record', () => (now.recorder.stats.received > 0 ? true : undefined));
      if (settled === 2) await eventually('a batch', () => (now.recorder.stats.written > 0 ? true : undefined));
      await now.kill();
      now = await control();
    }
    app.port = now.port;
    await counted(sent);
    await eventually('an empty queue', () => (app.log.stats.messages === 0 ? true : undefined));
    const { losses, gaps } = await stored(file);
    assert.deepEqual([losses, gaps], [[], []]);
  });

  it(`counts each record once, when an agent goes from one replica to the other and back (seed ${SEED})`, async () => {
    const random = randomOf(SEED, 0);
    const next = (limit: number): number => below(random, limit);
    const app = await agent('app');
    let sent = 0;
    let before: ControlPlane | undefined;
    for (let round = 0; round < 12; round++) {
      // Slow to write, so that it still has what the agent then tells the other one.
      const here = await control({ flushMs: 40 + next(200) });
      app.port = here.port;
      before?.cutOff();
      for (let message = 0; message < 20; message++) {
        app.envoy.send(3);
        sent += 3;
      }
      await eventually('a record', () => (here.recorder.stats.received > 0 ? true : undefined));
      before = here;
    }
    await counted(sent);
    await Promise.all(running.map(({ recorder }) => recorder.flush()));
    assert.equal(await countOf(file), sent);
  });

  it('says what it had no room for, and no more', async () => {
    const app = await agent('app', { limitBytes: 8 * 1024 });
    for (let message = 0; message < 200; message++) app.envoy.send(5);
    await eventually('all to be kept or counted', () => {
      const { messages, lost } = app.log.stats;
      return messages > 1 && lost > 0 && lost % 5 === 0 ? true : undefined;
    });
    const one = await control();
    app.port = one.port;
    await eventually('calls and losses to be all', async () => {
      const { edges, losses } = await stored(file);
      const lost = losses.reduce((sum, { count }) => sum + count, 0);
      assert.ok(losses.every(({ reason }) => reason === 'agent-queue-full'));
      const count = edges.reduce((sum, { tally }) => sum + tally.count, 0);
      assert.ok(count + lost <= 1000);
      return count > 0 && count + lost === 1000 ? true : undefined;
    });
    app.envoy.send(4);
    await eventually('what comes after', async () => {
      const { edges, losses } = await stored(file);
      const sum = [...edges.map(({ tally }) => tally.count), ...losses.map(({ count }) => count)].reduce((a, b) => a + b, 0);
      return sum === 1004 ? true : undefined;
    });
  });

  it('keeps what the store does not take, and what the control plane has no room for', async () => {
    const one = await control({ capacity: 2 });
    const app = await agent('app', { port: one.port });
    app.envoy.send(3);
    await counted(3);
    one.storeWorks = false;
    for (let message = 0; message < 50; message++) app.envoy.send(3);
    await eventually('a refusal of the store', () => (one.recorder.stats.storeErrors > 1 ? true : undefined));
    assert.ok(app.log.stats.messages > 0, 'nothing is forgotten that is not in the store');
    assert.equal(await countOf(file), 3);
    one.storeWorks = true;
    await counted(153);
    await eventually('an empty queue', () => (app.log.stats.messages === 0 ? true : undefined));
    assert.deepEqual((await stored(file)).losses, []);
  });

  it('is there for the next agent, in files of its own, when an agent was killed', async () => {
    const killed = await agent('killed');
    for (let message = 0; message < 40; message++) killed.envoy.send(2);
    await eventually('all to be kept', () => (killed.log.stats.messages === 40 ? true : undefined));
    assert.equal(spooled().length, 1);
    for (const name of spooled()) assert.equal(statSync(join(folder, 'logs', name)).mode & 0o777, 0o600);
    writeFileSync(join(folder, 'logs', spooled()[0] ?? ''), Buffer.from([9, 0, 0, 0, 1]), { flag: 'a' });
    const one = await control();
    const next = await agent('next', { port: one.port });
    next.envoy.send(5);
    await counted(85);
    await eventually('files of what is in the store to go', () => (spooled().length <= 1 ? true : undefined));
    // The killed one rises: everything of it is known.
    killed.port = one.port;
    await eventually('its queue to empty', () => (killed.log.stats.messages === 0 ? true : undefined));
    assert.equal(await countOf(file), 85);
  });

  it('is handed over when an agent stops; what cannot be is left in files', async () => {
    const one = await control();
    const first = await agent('first', { port: one.port });
    first.envoy.send(3);
    // Kept, or on its way already.
    await eventually('it to be kept', async () =>
      first.log.stats.messages > 0 || (await countOf(file).catch(() => 0)) > 0 ? true : undefined,
    );
    await first.log.stop(20_000);
    assert.equal(await countOf(file), 3);
    assert.equal(existsSync(join(folder, 'logs')), false);
    await one.kill();
    const second = await agent('second', { port: one.port });
    second.envoy.send(4);
    await eventually('it to be kept', () => (second.log.stats.messages > 0 ? true : undefined));
    await second.log.stop(500);
    assert.equal(spooled().length, 1);
    const other = await control();
    await agent('third', { port: other.port });
    await counted(7);
    await eventually('the files to go', () => (spooled().length === 0 ? true : undefined));
  });

  it('that is no log, or of a proxy of another identity, is counted as lost and holds up nothing', async () => {
    const one = await control();
    const app = await agent('app', { port: one.port });
    app.envoy.send(2, EDGE_NODE);
    const other = await agent('other', { port: one.port, folder: join(folder, 'others') });
    other.envoy.send(3, APP_NODE);
    other.envoy.write(Buffer.from([0xff, 0xff]));
    other.envoy.send(4);
    await counted(7);
    const { losses } = await eventually('losses', async () => {
      const observed = await stored(file);
      return observed.losses.length === 2 ? observed : undefined;
    });
    assert.deepEqual(losses.map(({ reason, count }) => `${reason} ${count}`).sort(), ['malformed 1', 'refused 2']);
  });
});
