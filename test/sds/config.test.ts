import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import { diagnosticLine } from '../../sds/agent/diagnostic.ts';
import { parseConfig } from '../../sds/agent/parse-config.ts';

const WORKLOAD = { namespace: 'shop', serviceAccount: 'cart', pod: 'cart-0', ip: '10.0.0.5', tokenFile: 'token' };
const GOOD = {
  controlPlane: { address: '127.0.0.1:15012', rootCert: 'root.pem' },
  runDir: '/run/gatehouse',
  workloads: [WORKLOAD],
};

function parse(config: unknown) {
  return parseConfig(typeof config === 'string' ? config : stringify(config), '/etc/gatehouse/agent.yaml', '/bin/envoy');
}

function mistakes(config: unknown): readonly string[] {
  const result = parse(config);
  return result.ok ? [] : result.diagnostics.map(diagnosticLine);
}

function workload(more: Record<string, unknown>) {
  return { ...GOOD, workloads: [{ ...WORKLOAD, ...more }] };
}

describe("sds: the agent's configuration", () => {
  it('has defaults for all that has a sane one', () => {
    const result = parse(GOOD);
    assert.ok(result.ok);
    const [first] = result.config.workloads;
    assert.equal(result.config.controlPlane.rootCert, '/etc/gatehouse/root.pem');
    assert.equal(result.config.controlPlane.serverName, 'gatehouse');
    assert.equal(first?.id, 'spiffe://cluster.local/ns/shop/sa/cart');
    assert.equal(first?.tokenFile, '/etc/gatehouse/token');
    assert.equal(first?.ttlSeconds, 86_400);
    assert.equal(first?.node.workload, 'cart-0');
    assert.equal(first?.xds, 'delta');
    assert.deepEqual(first?.envoy, {
      binary: '/bin/envoy',
      netns: undefined,
      owner: undefined,
      concurrency: 1,
      extraArgs: [],
      given: undefined,
      drainMs: 5000,
    });
  });

  it('takes every field, and JSON as well as YAML', () => {
    const full = {
      ...GOOD,
      controlPlane: { ...GOOD.controlPlane, address: '[::1]:15012', serverName: 'istiod.istio-system.svc' },
      trustDomain: 'example.org',
      domain: 'corp.local',
      envoy: 'bin/envoy',
      federatedBundles: { 'other.example': 'other.json' },
      secretsDir: '/secrets',
      certificateTtl: '1h30m',
      drainTime: '500ms',
      takeoverTime: '1m',
      xds: 'sotw',
      workloads: [
        {
          ...WORKLOAD,
          ...{ workload: 'cart', kind: 'router', labels: { app: 'cart', version: 'v1' }, adminPort: 15000 },
          ...{ controlPlaneAddress: '10.1.1.1:15012', locality: { region: 'eu', zone: 'a' } },
          envoy: { netns: 'gh-cart-0', uid: 1337, concurrency: 2, extraArgs: ['--log-level', 'info'] },
        },
        { ...WORKLOAD, pod: 'cart-1', secretFiles: ['certs'], envoy: false },
      ],
    };
    for (const text of [stringify(full), JSON.stringify(full)]) {
      const result = parse(text);
      assert.ok(result.ok, JSON.stringify(result));
      assert.equal(result.config.takeoverMs, 60_000);
      assert.deepEqual([...result.config.federatedBundles], [['other.example', '/etc/gatehouse/other.json']]);
      assert.deepEqual(result.config.secretsDirs, ['/secrets']);
      const [one, two] = result.config.workloads;
      assert.deepEqual([one?.secretFiles, two?.secretFiles], [[], ['/etc/gatehouse/certs']]);
      assert.deepEqual(one?.authority, { host: '::1', port: 15012, serverName: 'istiod.istio-system.svc' });
      assert.deepEqual(one?.controlPlane, { host: '10.1.1.1', port: 15012, serverName: 'istiod.istio-system.svc' });
      assert.equal(one?.id, 'spiffe://example.org/ns/shop/sa/cart');
      assert.equal(one?.ttlSeconds, 5400);
      assert.deepEqual(one?.envoy?.owner, { uid: 1337, gid: 1337 });
      assert.equal(one?.envoy?.binary, '/etc/gatehouse/bin/envoy');
      assert.equal(two?.envoy, undefined);
    }
  });

  it('may have no workloads yet', () => {
    for (const workloads of [undefined, null, []]) assert.deepEqual(mistakes({ ...GOOD, workloads }), []);
  });

  it('names file, line, field and remedy of a mistake', () => {
    const text =
      'controlPlane: {address: "127.0.0.1:15012", rootCert: r.pem}\nrunDir: run\nworkloads:\n- namespace: shop\n  pod: a\n  ip: 10.0.0.1\n  tokenfile: t\n';
    assert.deepEqual(mistakes(text), [
      '/etc/gatehouse/agent.yaml:7: error: workloads[0].tokenfile: unknown field (did you mean tokenFile?)',
      '/etc/gatehouse/agent.yaml:4: error: workloads[0]: tokenFile is missing',
    ]);
  });

  const bad: readonly (readonly [string, unknown, RegExp])[] = [
    ['an empty file', '', /the file is empty|must be a map/],
    ['a text that is no map', 'hello', /must be a map of fields/],
    ['broken YAML', 'a: [1', /agent.yaml:1: error/],
    ['two documents', 'a: 1\n---\nb: 2', /more than one YAML document/],
    ['a field twice', 'runDir: a\nrunDir: b\n', /agent.yaml:2: error: .*unique/],
    ['no control plane', { ...GOOD, controlPlane: undefined }, /controlPlane is missing/],
    [
      'no port',
      { ...GOOD, controlPlane: { ...GOOD.controlPlane, address: 'gatehouse' } },
      /controlPlane.address: must be HOST:PORT/,
    ],
    ['port 0', { ...GOOD, controlPlane: { ...GOOD.controlPlane, address: '127.0.0.1:0' } }, /must be HOST:PORT/],
    ['no roots', { ...GOOD, controlPlane: { address: 'a:1' } }, /rootCert is missing/],
    ['no run directory', { ...GOOD, runDir: undefined }, /runDir is missing/],
    ['a trust domain in upper case', { ...GOOD, trustDomain: 'Cluster.Local' }, /trustDomain: trust domain characters/],
    ['a lifetime without unit', { ...GOOD, certificateTtl: '24' }, /certificateTtl: must be a duration such as 24h/],
    ['a lifetime under a second', { ...GOOD, certificateTtl: '500ms' }, /must be whole seconds/],
    ['a number for a text', { ...GOOD, certificateTtl: 24 }, /must be text \(put it in quotes\)/],
    ['another protocol', { ...GOOD, xds: 'rest' }, /xds: must be delta or sotw/],
    ['workloads that are no list', { ...GOOD, workloads: { a: 1 } }, /workloads: must be a list/],
    ['a workload that is no map', { ...GOOD, workloads: ['a'] }, /workloads\[0\]: must be a map/],
    ['the same pod twice', { ...GOOD, workloads: [WORKLOAD, WORKLOAD] }, /workloads\[1\].pod: shop\/cart-0 is there twice/],
    ['a namespace that leaves the folder', workload({ namespace: '../..' }), /namespace: must be a DNS label/],
    ['a namespace with a dot', workload({ namespace: 'a.b' }), /must be a DNS label/],
    ['a pod that leaves the folder', workload({ pod: 'a/../../etc' }), /pod: must be a DNS name/],
    ['a service account that is no name', workload({ serviceAccount: 'a/sa/b' }), /serviceAccount: must be a DNS name/],
    ['an address that is no IP address', workload({ ip: 'localhost' }), /ip: must be an IP address/],
    ['another kind', workload({ kind: 'waypoint' }), /kind: must be sidecar or router/],
    ['labels that are no texts', workload({ labels: { version: 1 } }), /labels: must be a map of texts/],
    ['an admin port out of range', workload({ adminPort: 70_000 }), /adminPort: must be a whole number from 1 to 65535/],
    [
      'a network namespace that is an option',
      workload({ envoy: { netns: '-all' } }),
      /netns: must be the name of a network namespace/,
    ],
    ['bundles of no trust domain', { ...GOOD, federatedBundles: { 'A B': 'b.pem' } }, /federatedBundles: A B: trust domain/],
    ['the own trust domain as another', { ...GOOD, federatedBundles: { 'cluster.local': 'b' } }, /is the own trust domain/],
    ['bundles that are a list', { ...GOOD, federatedBundles: ['b.pem'] }, /federatedBundles: must be a map of texts/],
    ['a folder of secrets that is no path', { ...GOOD, secretsDir: '' }, /secretsDir: must be a path/],
    ['one of several', { ...GOOD, secretsDir: ['/a', ''] }, /secretsDir: must be a path/],
    ['a DNS name with a wildcard', workload({ dnsNames: ['*.cart.svc'] }), /dnsNames: \*\.cart\.svc is no DNS name/],
    ['folders that are no list', workload({ secretFiles: 'certs' }), /secretFiles: must be a list/],
    ['a folder that is no path', workload({ secretFiles: [''] }), /secretFiles: must be a path/],
    ['a group without a user', workload({ envoy: { gid: 5 } }), /gid: is given without uid/],
    ['a user of the Workload API without an id', workload({ workloadApi: { gid: 1 } }), /workloadApi/],
    ['output files without a folder', workload({ files: { reload: ['x'] } }), /files\.dir is missing|dir is missing/],
    [
      'output files of two in one folder',
      { ...GOOD, workloads: ['a', 'b'].map((pod) => ({ ...WORKLOAD, pod, files: { dir: 'certs' } })) },
      /workloads\[1\]\.files: .*another workload's folder/,
    ],
    ['readers of output files by group alone', workload({ files: { dir: 'certs', gid: 5 } }), /files\.gid: is given without uid/],
    ['a metrics address that is no address', { ...GOOD, metricsAddress: 'localhost:1' }, /metricsAddress: must be IP:PORT/],
    ['a negative user', workload({ envoy: { uid: -1 } }), /uid: must be a whole number/],
    [
      'a path too long for a socket',
      { ...GOOD, runDir: `/${'a'.repeat(100)}` },
      /too long for a Unix socket \(107 bytes at most/,
    ],
    ['endless aliases', `a: &a [x, x]\nb: &b [*a, *a]\n${stringify(GOOD)}`, /unknown field/],
  ];
  for (const [what, config, expected] of bad) {
    it(`refuses ${what}`, () => {
      const found = mistakes(config);
      assert.ok(
        found.some((line) => expected.test(line)),
        found.join('\n') || 'it was taken',
      );
    });
  }
});
