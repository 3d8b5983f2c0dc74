import assert from 'node:assert/strict';
import { goSpiffe, type Line, linesOf, type Program, pythonSpiffe } from './client-program.ts';
import { type RealWorld, realWorld } from './real-control-plane.ts';

const ID = 'spiffe://cluster.local/ns/shop/sa/cart';

describe('sds: SPIFFE clients, with the real control plane', function () {
  this.timeout(180_000);
  let world: RealWorld | undefined;
  before(async () => {
    world = await realWorld('4s');
  });
  after(() => world?.stop());

  const find = (lines: readonly Line[], event: string): Line => {
    const found = lines.find((line) => line.event === event);
    assert.ok(found, `no line ${event} in ${JSON.stringify(lines)}`);
    return found;
  };

  async function check(program: Program): Promise<readonly Line[]> {
    assert.ok(world);
    const { agent, socket } = world;
    const lines = await linesOf(program, socket, 'spiffe://cluster.local/ns/shop/sa/orders', '3');
    const x509 = lines.filter(({ event }) => event === 'x509');
    assert.deepEqual(new Set(x509.map(({ id }) => id)), new Set([ID]));
    const serials = new Set(x509.map(({ serial = '' }) => serial));
    assert.ok(serials.size >= 3, [...serials].join(' '));
    // The serials that the agent got, and no others. Leading zeros are a matter of print.
    const plain = (serial: string) => serial.replace(/^0+/, '');
    const known = new Set([...agent.all('issued'), ...agent.all('rotated')].map(({ serial }) => plain(serial)));
    assert.deepEqual(
      [...serials].filter((serial) => !known.has(plain(serial))),
      [],
    );
    assert.deepEqual(
      lines.filter(({ event }) => event === 'x509-bundle').map(({ domain, roots }) => [domain, roots]),
      [['cluster.local', 1]],
    );
    assert.equal(find(lines, 'jwt').id, ID);
    assert.equal(find(lines, 'validated').remote, ID);
    assert.match(find(lines, 'refused').error ?? '', /another audience/);
    assert.ok((find(lines, 'done').serials ?? 0) >= 3);
    return lines;
  }

  it('go-spiffe v2: X.509-SVIDs as they rotate, mutual TLS, bundles, JWT-SVIDs', async function () {
    const lines = await check(goSpiffe(this));
    assert.equal(lines.filter(({ event, text }) => event === 'mtls' && text === 'hello').length, 2);
    const jwt = find(lines, 'jwt');
    assert.deepEqual(new Set(jwt.audience), new Set(['spiffe://cluster.local/ns/shop/sa/orders', 'second']));
    assert.equal(jwt.cached, true);
    assert.ok((jwt.seconds ?? 0) > 100 && (jwt.seconds ?? 0) <= 300, `it lives ${String(jwt.seconds)} s`);
    assert.equal(find(lines, 'validated').local, ID);
  });

  it('the Python package spiffe: the same', async function () {
    const lines = await check(pythonSpiffe(this));
    assert.equal(find(lines, 'jwt-source').id, ID);
    assert.deepEqual([find(lines, 'jwt-bundle').domain, find(lines, 'jwt-bundle').keys], ['cluster.local', 1]);
  });
});
