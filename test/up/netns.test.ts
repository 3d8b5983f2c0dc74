import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Capture } from '../../cli/up/capture.ts';
import { netnsCapture, netnsObstacle } from '../../cli/up/netns/capture.ts';
import { leaseDir } from '../../cli/up/netns/lease.ts';
import { run } from '../../cli/up/netns/run.ts';
import { placeOf } from '../../cli/up/place.ts';
import type { Pod } from '../../cli/up/pod.ts';
import { accepts } from '../../cli/up/listening.ts';
import { surviveResets } from '../survive-resets.ts';
import { snapshotOf } from './snapshot.ts';

function podIn(capture: Capture, slot: number): Pod {
  const place = placeOf(capture.placement, slot, false);
  const application = { command: ['true'], cwd: '/', env: {} };
  return {
    ...place,
    namespace: 'shop',
    name: `cart-${slot}`,
    workload: 'cart',
    serviceAccount: 'cart',
    labels: {},
    kind: 'sidecar',
    ports: [],
    application,
  };
}

/** What runs as root and is killed: takes a bridge, makes a pod, says which. */
const VICTIM = `
import { netnsCapture } from ${JSON.stringify(new URL('../../cli/up/netns/capture.ts', import.meta.url).href)};
import { placeOf } from ${JSON.stringify(new URL('../../cli/up/place.ts', import.meta.url).href)};
const made = await netnsCapture();
if (!made.ok) throw new Error(made.reason);
const place = placeOf(made.capture.placement, 1, false);
await made.capture.addPod({ ...place, namespace: 'a', name: 'b-1', workload: 'b', serviceAccount: 'b', labels: {}, kind: 'sidecar', ports: [], application: undefined });
console.log(JSON.stringify({ number: made.capture.placement.number, netns: place.netns }));
setInterval(() => {}, 1000);
`;

describe('gatehouse up: network namespaces on this machine', () => {
  const captures: Capture[] = [];

  before(function () {
    const obstacle = netnsObstacle();
    if (obstacle === undefined) return;
    if (process.env['CI'] !== undefined) throw new Error(obstacle);
    this.skip();
  });
  afterEach(async () => {
    for (const capture of captures.splice(0)) await capture.close();
  });

  async function capture(): Promise<Capture> {
    const made = await netnsCapture();
    assert.ok(made.ok, made.ok ? '' : made.reason);
    captures.push(made.capture);
    return made.capture;
  }

  it('captures what an application sends and what comes in, and lets the proxy through', async () => {
    const made = await capture();
    const pod = podIn(made, 1);
    assert.ok(pod.netns !== undefined && made.extraAddress !== undefined);
    await made.addPod(pod);
    made.refreshNames(
      snapshotOf(
        '{apiVersion: v1, kind: Service, metadata: {name: pay, namespace: shop}, spec: {selector: {app: pay}, ports: [{port: 80, name: http}]}}',
      ),
      [pod],
    );
    const server = surviveResets(createServer((socket) => socket.end('host')));
    server.listen(0, made.extraAddress);
    await once(server, 'listening');
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    // In place of Envoy: says on which of its two ports a connection came.
    const proxy = `const servers = [15001, 15006].map((port) => require('net').createServer((s) => s.on('error', () => {}).end(String(port))).listen(port, '0.0.0.0'));
      Promise.all(servers.map((server) => require('events').once(server, 'listening'))).then(() => console.log('both'));`;
    const inside = ['netns', 'exec', pod.netns, 'setpriv', '--clear-groups'];
    const standIn = spawn('ip', [...inside, '--reuid', '1337', '--regid', '1337', process.execPath, '-e', proxy], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(createInterface({ input: standIn.stdout }), 'line');
      const dial = (user: number, host: string, port: number) =>
        run('ip', [
          ...inside,
          ...['--reuid', String(user), '--regid', String(user), process.execPath, '-e'],
          `require('net').connect(${port}, '${host}').on('error', (e) => console.log(e.code)).on('data', (d) => console.log(String(d)))`,
        ]).then(({ stdout }) => stdout.trim());
      assert.equal(await dial(1000, made.extraAddress, address.port), '15001', 'an application is captured');
      assert.equal(await dial(0, made.extraAddress, address.port), '15001', 'root is captured too');
      assert.equal(await dial(1000, 'pay', 80), '15001', "a service's name leads to its virtual address, which is captured");
      assert.equal(await dial(1337, made.extraAddress, address.port), 'host', 'the proxy is let through');
      assert.equal(await dial(1337, pod.ip, 9999), '15006', "the proxy's call to its own pod comes in like any other");
      const [seen] = await once(connect(9999, pod.ip), 'data');
      assert.equal(String(seen), '15006', 'what comes in is captured on whatever port');
      assert.equal(await accepts(pod.ip, 15001), true);
    } finally {
      standIn.kill('SIGKILL');
      server.close();
    }
  });

  it('leaves nothing behind', async () => {
    const made = await capture();
    const pod = podIn(made, 7);
    assert.ok(made.placement.kind === 'netns' && pod.netns !== undefined);
    await made.addPod(pod);
    assert.match(readFileSync(join('/etc/netns', pod.netns, 'hosts'), 'utf8'), /localhost/);
    await made.removePod(pod);
    assert.equal(existsSync(join('/etc/netns', pod.netns)), false);
    assert.equal(existsSync(join('/run/netns', pod.netns)), false);
    await made.close();
    captures.length = 0;
    assert.equal(existsSync(`/sys/class/net/gh${made.placement.number}`), false);
    assert.equal(existsSync(leaseDir(made.placement.number)), false);
  });

  it('removes what a killed run left, and leaves a living one alone', async () => {
    const living = await capture();
    const standing = podIn(living, 1);
    await living.addPod(standing);
    const victim = spawn(process.execPath, [...process.execArgv, '--input-type=module', '-e', VICTIM], {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    });
    const [line] = await once(createInterface({ input: victim.stdout }), 'line');
    const left: unknown = JSON.parse(String(line));
    assert.ok(typeof left === 'object' && left !== null && 'netns' in left && typeof left.netns === 'string');
    assert.equal(existsSync(join('/run/netns', left.netns)), true);
    const ended = once(victim, 'exit');
    victim.kill('SIGKILL');
    await ended;
    const next = await capture();
    assert.equal(existsSync(join('/run/netns', left.netns)), false);
    assert.ok(standing.netns !== undefined && existsSync(join('/run/netns', standing.netns)));
    assert.notDeepEqual(next.placement, living.placement);
  });
});
