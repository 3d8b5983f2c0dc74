import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONTROL_PLANE_CLUSTER } from '../../routing/wire/config-source.ts';
import { bootstrap, bootstrapJson } from '../../sds/bootstrap/bootstrap.ts';
import type { BootstrapInput } from '../../sds/bootstrap/input.ts';
import { envoyCommand } from '../../sds/envoy/command.ts';
import { envoyBinary } from './running-agent.ts';

const INPUT: BootstrapInput = {
  node: {
    kind: 'sidecar',
    ip: '10.0.0.5',
    namespace: 'shop',
    serviceAccount: 'cart',
    workload: 'cart',
    pod: 'cart-0',
    labels: { app: 'cart' },
    domain: 'cluster.local',
  },
  controlPlane: { host: '127.0.0.1', port: 15012, serverName: 'gatehouse' },
  xds: 'delta',
  sdsSocket: '/run/a/sds.sock',
  adminSocket: '/run/a/admin.sock',
};

const RUN = {
  binary: 'envoy',
  bootstrapPath: '/b.json',
  logPath: '/l',
  concurrency: 1,
  extraArgs: [],
};

function text(input: BootstrapInput): string {
  return JSON.stringify(bootstrapJson(input));
}

describe("sds: Envoy's bootstrap", () => {
  it('names the node as Istio does', () => {
    assert.ok(text(INPUT).includes('"id":"sidecar~10.0.0.5~cart-0.shop~shop.svc.cluster.local"'));
    assert.ok(text({ ...INPUT, node: { ...INPUT.node, kind: 'router' } }).includes('"id":"router~10.0.0.5~cart-0.shop~'));
  });

  it('connects to the control plane with the secrets of the agent, and checks its name', () => {
    const json = text(INPUT);
    assert.ok(json.includes('"name":"sds-grpc"') && json.includes('"name":"control-plane"'));
    assert.ok(json.includes('"apiType":"DELTA_GRPC"'));
    assert.ok(text({ ...INPUT, xds: 'sotw' }).includes('"adsConfig":{"apiType":"GRPC"'));
    assert.ok(json.includes('"sni":"gatehouse"') && json.includes('"matcher":{"exact":"gatehouse"}'));
    assert.ok(json.includes('"connectionKeepalive":{"interval":"5s","timeout":"5s"}'));
    assert.ok(json.includes('"retryBackOff":{"baseInterval":"0.100s","maxInterval":"2s"}'));
  });

  it('has access logs sent to the agent, by the name that configuration has for where they go', () => {
    const { staticResources } = bootstrap(INPUT);
    const cluster = staticResources?.clusters.find(({ name }) => name === CONTROL_PLANE_CLUSTER);
    const host = cluster?.loadAssignment?.endpoints[0]?.lbEndpoints[0]?.hostIdentifier;
    const address = host?.case === 'endpoint' ? host.value.address?.address : undefined;
    assert.equal(address?.case === 'pipe' ? address.value.path : undefined, INPUT.sdsSocket);
    assert.equal(cluster?.transportSocket, undefined);
  });

  it('holds no secret', () => {
    assert.doesNotMatch(text(INPUT), /PRIVATE KEY|Bearer|token/i);
  });

  it('is taken by Envoy, with every option', function () {
    const binary = envoyBinary(this);
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-sds-'));
    const named = { ...INPUT, controlPlane: { ...INPUT.controlPlane, host: 'gatehouse.istio-system.svc' } };
    const variants: readonly BootstrapInput[] = [INPUT, { ...named, adminPort: 15000, xds: 'sotw' }];
    try {
      for (const input of variants) {
        const path = join(folder, 'envoy.json');
        writeFileSync(path, text({ ...input, adminSocket: join(folder, 'admin.sock') }));
        execFileSync(binary, ['--mode', 'validate', '--disable-hot-restart', '-c', path, '-l', 'error'], { stdio: 'pipe' });
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("sds: Envoy's command line", () => {
  it('is Envoy itself where nothing else is asked for', () => {
    assert.equal(envoyCommand(RUN).file, 'envoy');
  });

  it('enters the network namespace before it gives up root', () => {
    const { file, args } = envoyCommand({ ...RUN, netns: 'gh-cart', owner: { uid: 1337, gid: 1338 } });
    assert.equal(
      [file, ...args].slice(0, 12).join(' '),
      'ip netns exec gh-cart setpriv --reuid 1337 --regid 1338 --clear-groups --no-new-privs envoy',
    );
  });

  it('has the variables that it is given, as the user it runs as, and a thread for each core where 0 is asked for', () => {
    const { file, args } = envoyCommand({ ...RUN, concurrency: 0, environment: { STAGE: 'a b' }, owner: { uid: 1, gid: 2 } });
    assert.deepEqual([file, ...args].slice(0, 11).slice(7), ['env', '--', 'STAGE=a b', 'envoy']);
    assert.ok(!args.includes('--concurrency'));
  });

  it('sets nothing that the extra arguments set', () => {
    const { args } = envoyCommand({ ...RUN, extraArgs: ['-l', 'debug', '--drain-time-s=5'] });
    assert.equal(args.filter((arg) => arg === '--log-level').length, 0);
    assert.equal(args.filter((arg) => arg.startsWith('--drain-time-s')).length, 1);
    assert.ok(args.includes('--disable-hot-restart') && args.includes('--concurrency'));
  });
});
