import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { adminGet } from '../../sds/envoy/admin.ts';
import { adsService, echoListener, type SeenStream } from './ads.ts';
import { TestAuthority } from './authority.ts';
import { alive, envoyBinary, RunningAgent, testFolder } from './running-agent.ts';

const NETNS = `gh-sds-${process.pid}`;
const [DEVICE, PEER] = [`ghs${process.pid % 10_000}`, `ghp${process.pid % 10_000}`];
const [HOST, POD] = ['10.186.77.1', '10.186.77.2'];
const PORT = 15_443;

const ip = (line: string) => execFileSync('ip', line.split(' '), { stdio: 'pipe' });

describe('sds: an Envoy in a network namespace', function () {
  this.timeout(40_000);
  let made = false;
  let agent: RunningAgent | undefined;
  const authorities: TestAuthority[] = [];

  before(function () {
    try {
      ip(`netns add ${NETNS}`);
      made = true;
      ip(`link add ${DEVICE} type veth peer name ${PEER} netns ${NETNS}`);
      ip(`addr add ${HOST}/30 dev ${DEVICE}`);
      ip(`link set ${DEVICE} up`);
      ip(`-n ${NETNS} addr add ${POD}/30 dev ${PEER}`);
      ip(`-n ${NETNS} link set ${PEER} up`);
      ip(`-n ${NETNS} link set lo up`);
    } catch (error) {
      if (process.env['CI'] !== undefined) throw error;
      this.skip();
    }
  });
  after(async () => {
    await agent?.stop();
    for (const authority of authorities) authority.down();
    agent?.remove();
    if (made) ip(`netns del ${NETNS}`);
  });

  it('gets its secrets from the socket outside, and its configuration from its own control plane address', async function () {
    const binary = envoyBinary(this);
    const streams: SeenStream[] = [];
    const authority = await TestAuthority.start();
    const plane = await TestAuthority.start([adsService(() => echoListener(PORT, false, POD), streams)], HOST, authority.root);
    authorities.push(authority, plane);
    const folder = testFolder();
    chmodSync(folder, 0o711);
    writeFileSync(join(folder, 'root.pem'), authority.rootPem);
    writeFileSync(join(folder, 'token'), 'a.b.c');
    const workload = { namespace: 'shop', serviceAccount: 'cart', pod: 'cart-0', ip: POD, tokenFile: 'token' };
    agent = RunningAgent.start(folder, {
      controlPlane: { address: authority.address, rootCert: 'root.pem' },
      runDir: 'run',
      envoy: binary,
      workloads: [{ ...workload, controlPlaneAddress: plane.address, envoy: { netns: NETNS, uid: 1337, gid: 1337 } }],
    });
    const { pid = 0, adminSocket = '', sdsSocket } = await agent.event('ready');
    // It is where it should be, as whom it should be, and still answers on its socket here.
    assert.notEqual(readlinkSync(`/proc/${pid}/ns/net`), readlinkSync('/proc/self/ns/net'));
    assert.equal(statSync(`/proc/${pid}`).uid, 1337);
    assert.equal(statSync(sdsSocket).mode & 0o777, 0o600);
    assert.equal((await adminGet(adminSocket, '/ready')).body.trim(), 'LIVE');
    assert.equal(streams[0]?.nodeId, `sidecar~${POD}~cart-0.shop~shop.svc.cluster.local`);
    const serial = await new Promise<string>((resolve, reject) => {
      const socket = connect({ host: POD, port: PORT, ca: authority.rootPem, checkServerIdentity: () => undefined }, () => {
        resolve(socket.getPeerX509Certificate()?.serialNumber.toLowerCase() ?? '');
        socket.destroy();
      });
      socket.on('error', reject);
    });
    assert.equal(serial, authority.issued[0]?.serial);
    assert.equal(await agent.stop(), 0);
    assert.equal(alive(pid), false);
    rmSync(folder, { recursive: true, force: true });
  });
});
