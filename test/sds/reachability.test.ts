import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { Reachability, tcpProbe } from '../../sds/authority/reachability.ts';
import { eventually } from '../eventually.ts';
import { freePort } from './free-port.ts';
import { StillTime } from './world.ts';

describe('sds: noticing that the authority is back', () => {
  let time: StillTime;
  let open: boolean;
  let probes: number;
  let reachability: Reachability;
  beforeEach(() => {
    time = new StillTime();
    open = false;
    probes = 0;
    reachability = new Reachability(
      () => {
        probes += 1;
        return Promise.resolve(open);
      },
      time,
      () => 0.5,
    );
  });

  async function pass(ms: number): Promise<void> {
    const end = time.monotonic() + ms;
    while (time.monotonic() < end) {
      time.pass(Math.max(0, Math.min(time.next() ?? Infinity, end - time.monotonic())));
      // The probe's promise settles.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it('asks about once a second for all, later more rarely, and tells each once', async () => {
    let told = 0;
    for (let index = 0; index < 500; index++) reachability.onReturn(() => (told += 1));
    await pass(60_000);
    assert.ok(probes >= 55 && probes <= 65, String(probes));
    probes = 0;
    await pass(60_000);
    assert.ok(probes >= 19 && probes <= 24, String(probes));
    assert.equal(told, 0);
    open = true;
    // At most three seconds to the next probe, and as many for 500 to be spread over.
    await pass(6000);
    assert.equal(told, 500);
    probes = 0;
    await pass(600_000);
    assert.equal(told, 500);
    assert.equal(probes, 0);
  });

  it('wakes nobody where the port was never closed', async () => {
    open = true;
    let told = 0;
    reachability.onReturn(() => (told += 1));
    await pass(60_000);
    assert.deepEqual([told, probes], [0, 1]);
  });

  it('forgets who does not wait any more, and ends when nobody does', async () => {
    const end = reachability.onReturn(() => assert.fail('it was told'));
    await pass(5000);
    end();
    open = true;
    await pass(5000);
    assert.equal(time.next(), undefined);
  });

  it('takes a port that listens for there, and one that does not for away', async () => {
    const port = await freePort();
    const probe = tcpProbe('127.0.0.1', port);
    assert.equal(await probe(), false);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    assert.equal(await probe(), true);
    await new Promise((resolve) => server.close(resolve));
    await eventually('closed', async () => ((await probe()) ? undefined : true));
  });
});
