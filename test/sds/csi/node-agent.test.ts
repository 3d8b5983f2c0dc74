import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { account, ISSUER, type TokenIssuer, tokenIssuer } from '../../ca/world.ts';
import { RunningServe } from '../../cli/running-serve.ts';
import { goSpiffe, linesOf } from '../client-program.ts';
import { Kubelet, kubeletProgram, ok, type PodOfKubelet } from './kubelet.ts';
import { type NodeAgentPlace, RunningNodeAgent } from './running-node-agent.ts';

const pod = (serviceAccount: string): PodOfKubelet => ({
  namespace: 'shop',
  name: `${serviceAccount}-0`,
  uid: randomUUID(),
  serviceAccount,
});

/** A line of mountinfo for a path, or undefined. */
const mountOf = (path: string): string | undefined =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => line.split(' ')[4] === path);

describe('gatehouse node-agent, called as a kubelet calls it', function () {
  this.timeout(120_000);
  let folder: string;
  let memory: string;
  let tokens: TokenIssuer;
  let serve: RunningServe;
  let place: NodeAgentPlace;
  let agent: RunningNodeAgent;
  let kubelet: Kubelet;
  let registrar: Kubelet;
  const published = new Map<string, PodOfKubelet>();

  before(async function () {
    // Mounts are root's.
    if (process.getuid?.() !== 0) this.skip();
    const program = kubeletProgram(this);
    folder = mkdtempSync(join(tmpdir(), 'gh-csi-'));
    memory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'gh-csi-'));
    tokens = tokenIssuer();
    writeFileSync(join(folder, 'jwks.json'), await tokens.jwks());
    mkdirSync(join(folder, 'mesh'));
    writeFileSync(join(folder, 'mesh', 'shop.yaml'), 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n');
    serve = new RunningServe(
      join(folder, 'mesh'),
      join(folder, 'serve'),
      ...['--jwks', join(folder, 'jwks.json'), '--token-issuer', ISSUER],
    );
    const { grpc, rootCert } = await serve.ready();
    const kubeletDir = join(folder, 'kubelet');
    const registrationDir = join(kubeletDir, 'plugins_registry');
    mkdirSync(registrationDir, { recursive: true });
    const csiSocket = join(kubeletDir, 'plugins', 'csi.gatehouse.dev', 'csi.sock');
    place = { grpc: grpc ?? assert.fail(), rootCert, runDir: join(memory, 'run'), kubeletDir, csiSocket, registrationDir };
    agent = new RunningNodeAgent(place);
    await agent.ready();
    kubelet = new Kubelet(program, csiSocket, kubeletDir);
    registrar = new Kubelet(program, join(registrationDir, 'csi.gatehouse.dev-reg.sock'), kubeletDir);
  });
  after(async () => {
    for (const each of published.values()) await kubelet?.unpublish(each);
    await registrar?.end();
    await kubelet?.end();
    await agent?.end();
    await serve?.stop();
    for (const path of [folder, memory]) if (path !== undefined) rmSync(path, { recursive: true, force: true });
  });

  const tokenOf = ({ namespace, name, uid, serviceAccount }: PodOfKubelet, seconds = 3600): Promise<string> =>
    tokens.token({
      sub: account(namespace, serviceAccount),
      exp: Math.floor(Date.now() / 1000) + seconds,
      extra: {
        'kubernetes.io': { namespace, pod: { name, uid }, serviceaccount: { name: serviceAccount, uid: 'a' } },
      },
    });

  async function publish(of: PodOfKubelet, volume?: string): Promise<void> {
    ok(await kubelet.publish(of, await tokenOf(of), {}, volume));
    published.set(of.uid, of);
  }

  /** What go-spiffe gets in a pod's volume. */
  async function identityAt(test: Mocha.Context, of: PodOfKubelet, name = 'socket'): Promise<string | undefined> {
    // In a container its path is short; a kubelet's is longer than Unix sockets may have.
    const mounted = join(folder, of.uid.slice(0, 8));
    if (!existsSync(mounted)) symlinkSync(kubelet.targetOf(of), mounted);
    const lines = await linesOf(goSpiffe(test), join(mounted, name), 'spiffe://cluster.local/ns/shop/sa/orders', '1');
    return lines.find(({ event }) => event === 'x509')?.id;
  }

  it('tells the kubelet what it is, by the plugin watcher and as a driver', async () => {
    const info = ok(await registrar.call('/pluginregistration.Registration/GetInfo'));
    assert.deepEqual(info.response, {
      type: 'CSIPlugin',
      name: 'csi.gatehouse.dev',
      endpoint: place.csiSocket,
      supportedVersions: ['1.0.0'],
    });
    ok(await registrar.call('/pluginregistration.Registration/NotifyRegistrationStatus', { pluginRegistered: true }));
    const { response } = ok(await kubelet.call('/csi.v1.Identity/GetPluginInfo'));
    assert.equal(response?.['name'], 'csi.gatehouse.dev');
    assert.deepEqual(ok(await kubelet.call('/csi.v1.Identity/GetPluginCapabilities')).response, {});
    assert.deepEqual(ok(await kubelet.call('/csi.v1.Identity/Probe')).response, { ready: true });
    assert.deepEqual(ok(await kubelet.call('/csi.v1.Node/NodeGetInfo')).response, { nodeId: 'node-1' });
    assert.deepEqual(ok(await kubelet.call('/csi.v1.Node/NodeGetCapabilities')).response, {});
    assert.equal((await kubelet.call('/csi.v1.Node/NodeGetVolumeStats')).code, 'Unimplemented');
  });

  it('gives a pod its own socket, read-only, where go-spiffe gets that pod’s identity', async function () {
    const [cart, orders] = [pod('cart'), pod('orders')];
    await publish(cart);
    await publish(orders);
    const target = kubelet.targetOf(cart);
    const options = (mountOf(target) ?? assert.fail('not mounted')).split(' ')[5]?.split(',') ?? [];
    for (const option of ['ro', 'nosuid', 'nodev', 'noexec']) assert.ok(options.includes(option), options.join(' '));
    assert.throws(() => writeFileSync(join(target, 'other'), ''), /EROFS/);
    assert.deepEqual(readdirSync(target).sort(), ['agent.sock', 'api.sock', 'socket', 'spire-agent.sock']);
    assert.equal(await identityAt(this, cart), 'spiffe://cluster.local/ns/shop/sa/cart');
    assert.equal(await identityAt(this, orders, 'spire-agent.sock'), 'spiffe://cluster.local/ns/shop/sa/orders');
    // On the node itself nobody else gets there.
    assert.equal(statSync(join(place.runDir, 'pods')).mode & 0o777, 0o700);
  });

  it('may be called again, also for a second volume of the pod, and takes a new token', async () => {
    const cart = pod('cart');
    await publish(cart);
    await agent.event('it has a certificate', ({ event, workload }) => event === 'issued' && (workload ?? '').includes(cart.uid));
    await publish(cart);
    await publish(cart, 'second');
    const targets = [kubelet.targetOf(cart), kubelet.targetOf(cart, 'second')];
    assert.deepEqual(
      targets.map((target) => mountOf(target) !== undefined),
      [true, true],
    );
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').split(` ${targets[0]} `).length, 2);
    assert.equal(agent.events.filter(({ event, workload }) => event === 'issued' && workload?.includes(cart.uid)).length, 1);
    ok(await kubelet.unpublish(cart, 'second'));
    assert.ok(existsSync(join(targets[0] ?? '', 'socket')));
    ok(await kubelet.unpublish(cart));
    ok(await kubelet.unpublish(cart));
    assert.deepEqual(targets.map(existsSync), [false, false]);
    assert.ok(!agent.errors.includes(await tokenOf(cart)));
  });

  it('refuses what is not the pod’s own', async () => {
    const [cart, orders] = [pod('cart'), pod('orders')];
    const token = await tokenOf(cart);
    const refused = async (of: PodOfKubelet, its: string, more: object, reason: RegExp): Promise<void> => {
      const answer = await kubelet.publish(of, its, more);
      assert.equal(answer.code, 'InvalidArgument', answer.reason);
      assert.match(answer.reason, reason);
      assert.ok(!answer.reason.includes(its.slice(0, 20)));
      assert.equal(mountOf(kubelet.targetOf(of)), undefined);
    };
    await refused(orders, token, {}, /not this pod's: its service account is cart/);
    await refused({ ...cart, uid: randomUUID() }, token, {}, /its pod UID is/);
    await refused(cart, token, { readonly: false }, /readOnly: true/);
    await refused(cart, token, { volumeContext: {} }, /no PersistentVolumes/);
    await refused(cart, token, { volumeCapability: { block: {} } }, /mounted/);
    await refused(cart, token, { targetPath: '/etc/gatehouse' }, /not within/);
    await refused(cart, token, { targetPath: join(place.kubeletDir, 'pods', '..', '..', 'x') }, /not within/);
    assert.equal(
      (await kubelet.call('/csi.v1.Node/NodeUnpublishVolume', { volumeId: 'v', targetPath: '/proc' })).code,
      'InvalidArgument',
    );
  });

  it('serves on after kill -9 in the folders that pods have mounted, and forgets pods that went meanwhile', async function () {
    const [stays, goes] = [pod('cart'), pod('orders')];
    await publish(stays);
    await publish(goes);
    const folders = (): number => readdirSync(join(place.runDir, 'pods')).length;
    const before = folders();
    await agent.end('SIGKILL');
    ok(await linger(goes));
    agent = new RunningNodeAgent(place);
    await agent.ready();
    assert.equal(folders(), before - 1);
    // Without a word of the kubelet: the token was kept in memory.
    assert.equal(await identityAt(this, stays), 'spiffe://cluster.local/ns/shop/sa/cart');
    await publish(stays);
    assert.equal(await agent.end(), 0);
    agent = new RunningNodeAgent(place);
    await agent.ready();
    assert.equal(await identityAt(this, stays), 'spiffe://cluster.local/ns/shop/sa/cart');
  });

  /** As a kubelet that clears up without the driver: the target goes. */
  async function linger(of: PodOfKubelet): Promise<{ code: string; reason: string }> {
    const { bindMounts } = await import('../../../sds/csi/mounts.ts');
    await bindMounts.unbind(kubelet.targetOf(of));
    published.delete(of.uid);
    return { code: 'OK', reason: '' };
  }

  it('keeps no token on a disk, and waits for the kubelet after a restart there', async function () {
    const disk = { ...place, runDir: join(folder, 'disk'), csiSocket: join(folder, 'disk.sock'), registrationDir: folder };
    let second = new RunningNodeAgent(disk);
    await second.ready();
    const program = kubeletProgram(this);
    const other = new Kubelet(program, disk.csiSocket, place.kubeletDir);
    const cart = pod('cart');
    const token = await tokenOf(cart);
    try {
      ok(await other.publish(cart, token));
      await second.event('it has a certificate', ({ event }) => event === 'issued');
      const files = readdirSync(disk.runDir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      for (const { parentPath, name } of files) {
        const content = readFileSync(join(parentPath, name), 'utf8');
        assert.ok(!content.includes(token) && !content.includes('PRIVATE KEY'), name);
      }
      await second.end('SIGKILL');
      second = new RunningNodeAgent(disk);
      await second.event('it waits for a token', ({ event, code }) => event === 'failed' && code === 'NO_TOKEN');
      ok(await other.publish(cart, token));
      await second.event('it has a certificate again', ({ event }) => event === 'issued');
      ok(await other.unpublish(cart));
      assert.deepEqual(readdirSync(join(disk.runDir, 'pods')), []);
    } finally {
      await other.unpublish(cart);
      await other.end();
      await second.end();
    }
  });
});
