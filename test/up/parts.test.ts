import assert from 'node:assert/strict';
import { createLocalJWKSet, jwtVerify } from 'jose';
import type { Pod } from '../../cli/up/pod.ts';
import { redirectRules } from '../../cli/up/netns/rules.ts';
import { hostsFile } from '../../cli/up/netns/hosts.ts';
import { chooseSubnet } from '../../cli/up/netns/subnet.ts';
import { lookUp, parseImageFlag, parseImageTable } from '../../cli/up/images.ts';
import { listeningPorts } from '../../cli/up/listening.ts';
import { parseSyncStatus } from '../../cli/up/sync-status.ts';
import { octets, Slots } from '../../cli/up/slots.ts';
import { createTokenIssuer, TOKEN_AUDIENCE, TOKEN_ISSUER } from '../../cli/up/tokens.ts';
import { words } from '../../cli/up/words.ts';
import { snapshotOf } from './snapshot.ts';

describe('gatehouse up: command lines', () => {
  it('splits words as people write them', () => {
    assert.deepEqual(words(`node  "my app.js" --x='a "b"' c\\ d ""`), {
      ok: true,
      value: ['node', 'my app.js', '--x=a "b"', 'c d', ''],
    });
  });
  for (const line of ['', '   ', 'node "x', "it's", 'x\\']) {
    it(`refuses ${JSON.stringify(line)}`, () => assert.equal(words(line).ok, false));
  }
  it('expands nothing', () => {
    assert.deepEqual(words('echo $HOME `id` *;'), { ok: true, value: ['echo', '$HOME', '`id`', '*;'] });
  });
});

describe('gatehouse up: image table', () => {
  const parsed = parseImageTable(
    'images: {a/b:v1: {command: node one.js}, a/b: node any.js, docker.io/library/c: {command: c}}',
    '/apps',
  );
  assert.ok(parsed.ok);
  const table = parsed.value;
  it('prefers the entry with the tag', () => {
    assert.deepEqual(lookUp(table, 'docker.io/a/b:v1')?.command, ['node', 'one.js']);
    assert.deepEqual(lookUp(table, 'a/b:v2')?.command, ['node', 'any.js']);
    assert.deepEqual(lookUp(table, 'a/b@sha256:00')?.command, ['node', 'any.js']);
    assert.deepEqual(lookUp(table, 'c:latest')?.command, ['c']);
    assert.equal(lookUp(table, 'registry:5000/a/b:v1'), undefined);
  });
  it('takes a flag whose name has a tag and whose command has an equals sign', () => {
    const flag = parseImageFlag('example.org/pay:3=node pay.js --port=1', '/here');
    assert.ok(flag.ok);
    assert.deepEqual(flag.value, ['example.org/pay:3', { command: ['node', 'pay.js', '--port=1'], cwd: '/here', env: {} }]);
    assert.equal(parseImageFlag('no command', '/').ok, false);
    assert.equal(parseImageFlag('=x', '/').ok, false);
  });
  it('says what is wrong in a table', () => {
    const wrong = parseImageTable('images: {a: {env: {}}}', '/');
    assert.ok(!wrong.ok);
    assert.match(wrong.reason, /images\.a/);
    assert.equal(parseImageTable('{', '/').ok, false);
  });
});

describe('gatehouse up: addresses', () => {
  it('leaves out .0 and .255', () => {
    assert.deepEqual([1, 254, 255, 508, 509].map(octets), ['0.1', '0.254', '1.1', '1.254', '2.1']);
  });
  it('keeps a number while its pod is there, and does not hand it on at once', () => {
    const slots = new Slots();
    assert.equal(slots.take('a'), 1);
    assert.equal(slots.take('b'), 2);
    assert.equal(slots.take('a'), 1);
    slots.release('a');
    assert.equal(slots.take('c'), 3);
    for (let pod = 0; pod < 197; pod++) slots.take(`pod-${pod}`);
    assert.equal(slots.take('late'), 1);
    assert.equal(slots.take('later'), 201);
  });
  it('takes a subnet that no route touches', () => {
    assert.equal(chooseSubnet(['default', '192.0.2.0/24']), 187);
    assert.equal(chooseSubnet(['10.187.0.0/16', '10.188.3.4']), 189);
    assert.equal(chooseSubnet(['10.184.0.0/13']), 192);
    assert.equal(chooseSubnet(['10.0.0.0/8']), 187);
  });
});

describe('gatehouse up: network namespace', () => {
  const lines = redirectRules({ proxyUser: 1337, outboundPort: 15001, inboundPort: 15006, family: 4 }).split('\n');
  const output = lines.filter((line) => line.startsWith('-A GATEHOUSE_OUTPUT'));
  it('ends in the redirection, so that what no rule exempts is captured', () => {
    assert.equal(output.at(-1), '-A GATEHOUSE_OUTPUT -j GATEHOUSE_REDIRECT');
    assert.ok(lines.includes('-A GATEHOUSE_REDIRECT -p tcp -j REDIRECT --to-ports 15001'));
    assert.ok(lines.includes('-A GATEHOUSE_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006'));
  });
  it('exempts only the proxy and the loopback device', () => {
    for (const rule of output.slice(0, -1)) assert.match(rule, /-o lo|--uid-owner 1337|--gid-owner 1337|-d 127\.0\.0\.1\/32/);
  });
  it('has every chain that it jumps to, and ends with COMMIT', () => {
    const chains = new Set(lines.filter((line) => line.startsWith(':')).map((line) => line.slice(1).split(' ')[0]));
    for (const line of lines) {
      const target = /-j (GATEHOUSE_\w+)/.exec(line)?.[1];
      if (target !== undefined) assert.ok(chains.has(target), target);
    }
    assert.equal(lines.at(-2), 'COMMIT');
  });
  it('names services as the DNS of a cluster does', () => {
    const service = (name: string, namespace: string) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}}
spec: {selector: {app: x}, ports: [{port: 80, name: http}]}
`;
    const snapshot = snapshotOf(`${service('cart', 'shop')}---${service('pay', 'bank')}`);
    const text = hostsFile(snapshot, 'shop', { name: 'web-1', ip: '10.187.0.2' }, []);
    assert.match(text, /^127\.0\.0\.1 localhost\n10\.187\.0\.2 web-1\n/);
    assert.match(text, /^240\.240\.\d+\.\d+ cart\.shop\.svc\.cluster\.local cart\.shop\.svc cart\.shop cart$/m);
    assert.match(text, /^240\.240\.\d+\.\d+ pay\.bank\.svc\.cluster\.local pay\.bank\.svc pay\.bank$/m);
  });
  it('names the IPv6 addresses of Services where the pod has such an address itself', () => {
    const service = (name: string, spec: string) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {${spec}, selector: {app: cart}, ports: [{port: 80, name: http}]}
`;
    const both = 'clusterIPs: [10.96.0.1, "fd96::1"], ipFamilies: [IPv4, IPv6]';
    const snapshot = snapshotOf(
      `${service('both', both)}---${service('six', 'clusterIP: "fd96::2", ipFamilies: [IPv6]')}---${service('pods', 'clusterIP: None, ipFamilies: [IPv6]')}`,
    );
    const cart = { ip: '10.187.0.3', ip6: 'fd67::3', name: 'cart-1', namespace: 'shop', labels: { app: 'cart' } };
    const pod: Pod = {
      ...cart,
      workload: 'cart',
      serviceAccount: 'cart',
      kind: 'sidecar',
      appAddress: cart.ip,
      netns: 'gh0-2',
      ports: [],
      application: undefined,
    };
    const lines = (ip6: object) =>
      hostsFile(snapshot, 'shop', { name: 'web-1', ip: '10.187.0.2', ...ip6 }, [pod])
        .split('\n')
        .filter((line) => / (both|six|pods)$/.test(line))
        .map((line) => line.replace(/ .* /, ' '));
    assert.deepEqual(lines({ ip6: 'fd67::2' }).sort(), ['10.96.0.1 both', 'fd67::3 pods', 'fd96::1 both', 'fd96::2 six']);
    assert.deepEqual(lines({}).sort(), ['10.96.0.1 both', 'fd67::3 pods']);
  });
  it('reads the ports that a process listens on', () => {
    const table = `  sl  local_address rem_address   st tx_queue
   0: 00000000:2378 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000
   1: 0100007F:3A99 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1337
`;
    assert.deepEqual([...listeningPorts(table)], [9080]);
  });
});

describe('gatehouse up: tokens', () => {
  it("have Kubernetes' claims and are checked with the published key", async () => {
    const at = new Date('2026-11-21T08:00:00Z');
    const issuer = await createTokenIssuer(() => at);
    const token = await issuer.issue({ namespace: 'shop', name: 'cart-1', serviceAccount: 'cart' });
    const keys = createLocalJWKSet(JSON.parse(issuer.jwks));
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer: TOKEN_ISSUER,
      audience: TOKEN_AUDIENCE,
      currentDate: at,
    });
    assert.equal(protectedHeader.alg, 'ES256');
    assert.equal(payload.sub, 'system:serviceaccount:shop:cart');
    assert.deepEqual(payload['kubernetes.io'], { namespace: 'shop', serviceaccount: { name: 'cart' }, pod: { name: 'cart-1' } });
    await assert.rejects(jwtVerify(token, keys, { currentDate: new Date(at.getTime() + 3601_000) }));
    assert.ok(!issuer.jwks.includes('"d"'), 'the private key is not published');
  });
});

describe('gatehouse up: what proxies have', () => {
  it('is read by pod', () => {
    const status = parseSyncStatus(
      JSON.stringify({
        snapshot: 4,
        proxies: [
          { node: 'sidecar~127.10.0.1~cart-1.shop~shop.svc.cluster.local', acknowledged: 4, rejected: [] },
          { node: 'router~127.10.0.2~a.b-1.ns~ns.svc.cluster.local', acknowledged: 3, rejected: [{ message: 'no' }] },
        ],
      }),
    );
    assert.deepEqual(
      [...(status?.acknowledged ?? [])],
      [
        ['shop/cart-1', 4],
        ['ns/a.b-1', 3],
      ],
    );
    assert.deepEqual([...(status?.rejected.keys() ?? [])], ['ns/a.b-1']);
    assert.equal(parseSyncStatus('nothing'), undefined);
    assert.equal(parseSyncStatus('{}'), undefined);
  });
});
