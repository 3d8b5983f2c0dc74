import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { dirname, join } from 'node:path';
import { adminGet } from '../../sds/envoy/admin.ts';
import { adsService, echoListener, type SeenStream } from './ads.ts';
import { leafWithKey, pkcs8Pem, TestAuthority } from './authority.ts';
import { eventually } from '../eventually.ts';
import { freePort } from './free-port.ts';
import { alive, envoyBinary, running, RunningAgent, testFolder, writeConfig } from './running-agent.ts';

interface World {
  readonly authority: TestAuthority;
  readonly agent: RunningAgent;
  readonly config: Record<string, unknown>;
  readonly folder: string;
  readonly streams: SeenStream[];
  readonly port: number;
}

describe('sds: the agent with the real Envoy', function () {
  this.timeout(60_000);
  let world: World | undefined;

  async function start(
    binary: string,
    lifetimeMs: number,
    mutual = false,
    more: Record<string, unknown> = {},
    top: Record<string, unknown> = {},
  ): Promise<World> {
    const folder = testFolder();
    const port = await freePort();
    const streams: SeenStream[] = [];
    const authority = await TestAuthority.start([adsService(() => echoListener(port, mutual), streams)]);
    authority.lifetimeMs = lifetimeMs;
    writeFileSync(join(folder, 'root.pem'), authority.rootPem);
    writeFileSync(join(folder, 'token'), 'a.b.c\n');
    const config = {
      controlPlane: { address: authority.address, serverName: 'gatehouse', rootCert: 'root.pem' },
      runDir: 'run',
      envoy: binary,
      certificateTtl: '4s',
      ...top,
      workloads: [{ namespace: 'shop', serviceAccount: 'cart', pod: 'cart-0', ip: '127.0.0.1', tokenFile: 'token', ...more }],
    };
    const agent = RunningAgent.start(folder, config);
    world = { authority, agent, config, folder, streams, port };
    return world;
  }

  afterEach(async () => {
    await world?.agent.stop();
    world?.authority.down();
    world?.agent.remove();
    world = undefined;
  });

  /** One request on `agent`; the server's serial with the status. */
  function ask(
    port: number,
    ca: string,
    agent: Agent | false,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; serial: string }> {
    return new Promise((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port,
        path: '/',
        ca,
        agent,
        headers,
        checkServerIdentity: () => undefined,
        timeout: 5000,
      };
      const call = request(options, (response) => {
        const { socket } = response;
        const serial = 'getPeerX509Certificate' in socket ? (connectSerial(socket) ?? '') : '';
        response.resume();
        response.on('end', () => resolve({ status: response.statusCode ?? 0, serial }));
        response.on('error', reject);
      });
      call.on('timeout', () => call.destroy(new Error('no answer in 5 s')));
      call.on('error', reject);
      call.end();
    });
  }

  function connectSerial(socket: object): string | undefined {
    if (!('getPeerX509Certificate' in socket) || typeof socket.getPeerX509Certificate !== 'function') return undefined;
    const certificate: unknown = socket.getPeerX509Certificate();
    if (typeof certificate !== 'object' || certificate === null || !('serialNumber' in certificate)) return undefined;
    return String(certificate.serialNumber).toLowerCase();
  }

  it('rotates 4-second certificates under traffic without a failed request', async function () {
    const { authority, agent, port, streams } = await start(envoyBinary(this), 4000);
    const ready = await agent.event('ready');
    assert.equal(ready.workload, 'shop/cart-0');
    const kept = new Agent({ keepAlive: true, maxSockets: 1 });
    const failures: string[] = [];
    const serials = new Set<string>();
    let requests = 0;
    const end = Date.now() + 9000;
    const run = async (connection: Agent | false) => {
      while (Date.now() < end) {
        try {
          const { status, serial } = await ask(port, authority.rootPem, connection);
          requests += 1;
          if (status !== 200) failures.push(`status ${status}`);
          if (connection === false) serials.add(serial);
        } catch (error) {
          failures.push(String(error));
        }
      }
    };
    await Promise.all([run(kept), run(false)]);
    kept.destroy();
    assert.deepEqual(failures, []);
    assert.ok(requests > 50, `only ${requests} requests`);
    assert.ok(serials.size >= 3, `serials seen: ${[...serials].join(' ')}`);
    const known = new Set(authority.issued.map(({ serial }) => serial));
    assert.deepEqual(
      [...serials].filter((serial) => !known.has(serial)),
      [],
    );
    const rotated = agent.all('rotated');
    assert.ok(rotated.length >= 3, `rotated ${rotated.length} times`);
    assert.ok(rotated.every(({ serial }) => known.has(serial)));
    // The first time by token, afterwards by the certificate in hand.
    assert.equal(authority.issued[0]?.token, 'a.b.c');
    assert.equal(authority.issued[1]?.token, undefined);
    assert.equal(authority.issued[1]?.peerSerial, authority.issued[0]?.serial);
    // The ADS stream came with the workload's own certificate.
    assert.equal(streams[0]?.nodeId, 'sidecar~127.0.0.1~cart-0.shop~shop.svc.cluster.local');
    assert.ok(known.has(streams[0]?.peerSerial ?? ''));
  });

  it('keeps every socket and file to its owner', async function () {
    const { agent, folder } = await start(envoyBinary(this), 600_000);
    const { adminSocket = '', sdsSocket } = await agent.event('ready');
    assert.equal(adminSocket, join(folder, 'run', 'shop.cart-0', 'admin.sock'));
    for (const [path, mode] of [
      [adminSocket, 0o600],
      [sdsSocket, 0o600],
      [join(folder, 'run', 'shop.cart-0', 'envoy.json'), 0o600],
      [join(folder, 'run', 'shop.cart-0'), 0o700],
      [join(folder, 'run'), 0o700],
    ] as const)
      assert.equal(statSync(path).mode & 0o777, mode, path);
  });

  it('serves on while the authority is away, and rotates when it is back', async function () {
    const { authority, agent, port } = await start(envoyBinary(this), 8000);
    await agent.event('ready');
    authority.down();
    const failed = await agent.event('failed');
    assert.equal(failed.code, 'UNAVAILABLE');
    assert.equal((await ask(port, authority.rootPem, false)).status, 200);
    await authority.up();
    await agent.event('rotated');
    assert.equal((await ask(port, authority.rootPem, false)).status, 200);
  });

  it('starts Envoy again when it is killed', async function () {
    const { agent, port, authority } = await start(envoyBinary(this), 600_000);
    const { pid = 0 } = await agent.event('ready');
    process.kill(pid, 'SIGKILL');
    const exit = await agent.event('exit');
    assert.equal(exit.signal, 'SIGKILL');
    assert.ok((exit.restartMs ?? 0) >= 100 && (exit.restartMs ?? 0) <= 200, `restart after ${exit.restartMs} ms`);
    const again = await agent.event('ready', () => true, 2);
    assert.notEqual(again.pid, pid);
    assert.equal((await ask(port, authority.rootPem, false)).status, 200);
  });

  it('leaves Envoys to the next agent when it is killed, and no request fails', async function () {
    if (process.platform !== 'linux') this.skip();
    const top = { takeoverTime: '8s' };
    const { agent, authority, port, folder, config } = await start(envoyBinary(this), 600_000, false, {}, top);
    const first = await agent.event('ready');
    const failures: string[] = [];
    const traffic = { done: false };
    const asking = (async () => {
      while (!traffic.done) {
        const answer = await ask(port, authority.rootPem, false).catch((error: unknown) => ({ status: String(error) }));
        if (answer.status !== 200) failures.push(String(answer.status));
      }
    })();
    agent.process.kill('SIGKILL');
    await agent.ended;
    const guardActs = Date.now() + 8000;
    const next = RunningAgent.start(folder, config);
    if (world !== undefined) world = { ...world, agent: next };
    assert.deepEqual(await next.event('started'), { event: 'started', workload: 'shop/cart-0', pid: first.pid, adopted: true });
    assert.equal((await next.event('ready')).pid, first.pid);
    const { serial } = await next.event('issued');
    await eventually('the new certificate is served', async () => {
      const answer = await ask(port, authority.rootPem, false);
      return answer.serial === serial ? true : undefined;
    });
    traffic.done = true;
    await asking;
    assert.deepEqual(failures, []);
    // The first agent's guard leaves it alone when its time has come.
    await eventually('that time', () => (Date.now() > guardActs + 1000 ? true : undefined));
    assert.equal(running(first.pid), true);
    // It is supervised as if it had been started here.
    process.kill(first.pid ?? 0, 'SIGKILL');
    const again = await next.event('started', ({ adopted }) => !adopted);
    await next.event('ready', ({ pid }) => pid === again.pid);
    assert.equal(await next.stop(), 0);
    assert.equal(alive(again.pid), false);
  });

  it('leaves no Envoy behind for ever when it is killed and no other agent comes', async function () {
    if (process.platform !== 'linux') this.skip();
    const { agent } = await start(envoyBinary(this), 600_000, false, {}, { takeoverTime: '1s' });
    const { pid } = await agent.event('ready');
    agent.process.kill('SIGKILL');
    await agent.ended;
    assert.equal(running(pid), true);
    await eventually('Envoy is gone', () => (running(pid) ? undefined : true));
  });

  it('ends its Envoys on SIGTERM and exits with 0', async function () {
    const { agent } = await start(envoyBinary(this), 600_000);
    const { pid } = await agent.event('ready');
    assert.equal(await agent.stop(), 0);
    assert.equal(alive(pid), false);
    assert.deepEqual(agent.all('stopped'), [{ event: 'stopped', workload: 'shop/cart-0' }]);
    assert.equal(agent.all('exit')[0]?.reason, 'stopped by the agent');
  });

  it('lets requests under way end before it stops Envoy', async function () {
    const { agent, port, authority } = await start(envoyBinary(this), 600_000);
    const { adminSocket = '' } = await agent.event('ready');
    let asked: ReturnType<typeof ask> | undefined;
    const { answer } = await eventually('a request is under way', async () => {
      // On a machine that is held up, one may be over before anybody looked: then another is asked.
      asked ??= ask(port, authority.rootPem, false, { 'x-envoy-fault-delay-request': '1500' }).finally(() => (asked = undefined));
      const seen = { answer: asked };
      const { body } = await adminGet(adminSocket, '/stats?filter=echo.downstream_rq_active');
      return body.includes('rq_active: 1') ? seen : undefined;
    });
    assert.equal(await agent.stop(), 0);
    assert.equal((await answer).status, 200);
  });

  it('starts and stops workloads as the file says', async function () {
    const { agent, config, folder, authority } = await start(envoyBinary(this), 600_000, false, { adminPort: await freePort() });
    const first = await agent.event('ready');
    const status = await fetch(`http://${first.admin}/ready`);
    assert.equal((await status.text()).trim(), 'LIVE');
    const [one] = config['workloads'] as readonly Record<string, unknown>[];
    const other = { namespace: 'shop', serviceAccount: 'web', pod: 'web-0', ip: '127.0.0.2', tokenFile: 'token', envoy: false };
    writeConfig(folder, { ...config, workloads: [one, other] });
    await agent.event('issued', ({ workload }) => workload === 'shop/web-0');
    assert.equal(alive(first.pid), true);
    writeConfig(folder, { ...config, workloads: [one, { ...other, nmespace: 'x' }] });
    const { diagnostics } = await agent.event('config-refused');
    assert.equal(diagnostics[0]?.field, 'workloads[1].nmespace');
    writeConfig(folder, { ...config, workloads: [other] });
    await agent.event('stopped', ({ workload }) => workload === 'shop/cart-0');
    assert.equal(alive(first.pid), false);
    assert.equal(authority.issued.length, 2);
    assert.equal(agent.all('stopped').length, 1);
  });

  it('takes new roots without a restart, and a certificate that leads to them', async function () {
    const { agent, folder, authority } = await start(envoyBinary(this), 600_000, true);
    const { adminSocket = '' } = await agent.event('ready');
    const other = await TestAuthority.start();
    other.down();
    const client = await leafWithKey(other.root, {
      names: [{ type: 'url', value: 'spiffe://cluster.local/ns/a/sa/b' }],
      lifetimeMs: 60_000,
    });
    const [cert, key] = [client.certificate.toString('pem'), await pkcs8Pem(client.keys.privateKey)];
    const tryIt = () =>
      new Promise<boolean>((resolve) => {
        const port = world?.port ?? 0;
        const call = request(
          { host: '127.0.0.1', port, ca: authority.rootPem, cert, key, agent: false, checkServerIdentity: () => undefined },
          (response) => {
            response.resume();
            resolve(response.statusCode === 200);
          },
        );
        call.on('error', () => resolve(false));
        call.end();
      });
    assert.equal(await tryIt(), false);
    writeFileSync(join(folder, 'root.pem'), authority.rootPem + other.rootPem);
    await eventually('clients of the new root are let in', async () => ((await tryIt()) ? true : undefined));
    const certs = await adminGet(adminSocket, '/certs');
    assert.equal(certs.status, 200);
    assert.equal(agent.all('rotated').length, 0);
  });

  it('runs Envoy as another user, who alone can reach its sockets', async function () {
    if (process.getuid?.() !== 0) {
      if (process.env['CI'] !== undefined) assert.fail('needs root');
      this.skip();
    }
    const { agent, folder, port, authority } = await start(envoyBinary(this), 600_000, false, { envoy: { uid: 1337 } });
    const failed = await agent.event('failed');
    assert.equal(failed.code, 'SETUP');
    assert.match(failed.reason, /is closed to uid 1337/);
    chmodSync(folder, 0o711);
    const { adminSocket = '', sdsSocket, pid } = await agent.event('ready');
    for (const path of [adminSocket, sdsSocket, dirname(sdsSocket)]) {
      const { uid, gid, mode } = statSync(path);
      assert.deepEqual({ uid, gid, others: mode & 0o077 }, { uid: 1337, gid: 1337, others: 0 }, path);
    }
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Uid:\t1337\t1337\t1337\t1337$/m);
    assert.equal((await ask(port, authority.rootPem, false)).status, 200);
  });
});
