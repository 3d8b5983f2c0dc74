import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { promises as dns } from 'node:dns';
import { once } from 'node:events';
import { connect } from 'node:net';
import { assert as holds, property, uint8Array } from 'fast-check';
import { pino } from 'pino';
import { nameServer } from '../../../cli/agent/dns.ts';
import { systemTimers } from '../../../sds/clock.ts';
import { KnownNames, type NameSource } from '../../../sds/dns/known-names.ts';
import { nameServers } from '../../../sds/dns/resolv-conf.ts';
import { type DnsServer, serveDns } from '../../../sds/dns/server.ts';
import { TcpMessages, tcpMessage } from '../../../sds/dns/tcp-messages.ts';
import { upstream } from '../../../sds/dns/upstream.ts';
import { answerOf, existing, isAnswerTo, parseQuery, type Query } from '../../../sds/dns/wire.ts';
import { eventually } from '../../eventually.ts';

const A = 1;
const AAAA = 28;

/** A query as a resolver writes it. */
function question(name: string, type = A, udp?: number): Buffer {
  const labels = name.split('.').flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]);
  const header = Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, udp === undefined ? 0 : 1]);
  const option = udp === undefined ? [] : [Buffer.from([0, 0, 41, udp >>> 8, udp & 255, 0, 0, 0, 0, 0, 0])];
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, type, 0, 1]), ...option]);
}
const query = (...args: Parameters<typeof question>): Query => parseQuery(question(...args)) ?? assert.fail();

/** What the mesh says, at once or never. */
class Mesh implements NameSource {
  readonly followed: string[] = [];
  readonly dropped: string[] = [];
  live = true;
  readonly #known: KnownNames;
  readonly #says: Readonly<Record<string, readonly string[]>>;
  silent = false;

  constructor(known: KnownNames, says: Readonly<Record<string, readonly string[]>>) {
    this.#known = known;
    this.#says = says;
    known.askFrom(this);
  }

  follow(names: readonly string[]): void {
    this.followed.push(...names);
    if (this.silent) return;
    for (const name of names) setImmediate(() => this.#known.said(name, this.#says[name]));
  }

  drop(names: readonly string[]): void {
    this.dropped.push(...names);
  }
}

describe('DNS on the wire', () => {
  it('a question is read, in lower case; what is no host of the mesh has no name', () => {
    const { name, type, udpBytes } = query('Users.Shop.SVC');
    assert.deepEqual([name, type, udpBytes], ['users.shop.svc', A, 512]);
    assert.equal(query('a.test', A, 4096).udpBytes, 1232);
    assert.equal(query('a.test', A, 100).udpBytes, 512);
    assert.equal(query('a b.test').name, '');
    const chaos = question('a.test');
    chaos.writeUInt16BE(3, chaos.length - 2);
    assert.equal(parseQuery(chaos)?.name, '');
  });

  it('what is no query is none', () => {
    const whole = question('a.test');
    for (let length = 0; length < whole.length; length++) assert.equal(parseQuery(whole.subarray(0, length)), undefined);
    const response = Buffer.from(whole);
    response.writeUInt16BE(0x8180, 2);
    assert.equal(parseQuery(response), undefined);
    const two = Buffer.from(whole);
    two.writeUInt16BE(2, 4);
    assert.equal(parseQuery(two), undefined);
    const pointer = Buffer.from(whole);
    pointer[12] = 0xc0;
    assert.equal(parseQuery(pointer), undefined);
    holds(
      property(uint8Array({ maxLength: 600 }), (bytes) => void parseQuery(Buffer.from(bytes))),
      { seed: 7, numRuns: 2_000 },
    );
  });

  it('an answer has the addresses of the family, and is cut where it does not fit', () => {
    const four = answerOf(query('a.test'), ['192.0.2.1', '2001:db8::1'], 512);
    assert.equal(four.readUInt16BE(6), 1);
    assert.deepEqual([...four.subarray(-4)], [192, 0, 2, 1]);
    const six = answerOf(query('a.test', AAAA), ['192.0.2.1', '2001:db8::ffff:1'], 512);
    assert.equal(six.subarray(-16).toString('hex'), '20010db80000000000000000ffff0001');
    assert.equal(
      answerOf(query('a.test', AAAA), ['::ffff:192.0.2.1'], 512).subarray(-16).toString('hex'),
      '00000000000000000000ffffc0000201',
    );
    const many = Array.from({ length: 60 }, (_, at) => `192.0.2.${at}`);
    const cut = answerOf(query('a.test'), many, 512);
    assert.deepEqual([cut.readUInt16BE(2) & 0x0200, cut.readUInt16BE(6)], [0x0200, 0]);
    assert.equal(answerOf(query('a.test'), many, 65_535).readUInt16BE(6), 60);
    const edns = answerOf(query('a.test', A, 1232), ['192.0.2.1'], 1232);
    assert.equal(edns.readUInt16BE(10), 1, 'who speaks EDNS is answered with it');
  });

  it('only what answers the question is an answer', () => {
    const asked = query('a.test');
    const right = answerOf(asked, [], 512);
    assert.ok(isAnswerTo(asked, right));
    const other = Buffer.from(right);
    other[0] = 0x99;
    assert.ok(!isAnswerTo(asked, other));
    assert.ok(!isAnswerTo(asked, answerOf(query('b.test'), [], 512)));
    assert.ok(!isAnswerTo(asked, asked.bytes));
    const none = Buffer.from(right);
    none.writeUInt16BE(none.readUInt16BE(2) | 3, 2);
    assert.equal(existing(none).readUInt16BE(2) & 15, 0);
  });

  it('messages over TCP are put together from whatever pieces they come in', () => {
    const [a, b] = [question('a.test'), question('b.test')];
    const whole = Buffer.concat([tcpMessage(a), tcpMessage(b)]);
    for (let size = 1; size <= whole.length; size++) {
      const found: Buffer[] = [];
      const messages = new TcpMessages((message) => found.push(message));
      for (let at = 0; at < whole.length; at += size) messages.take(whole.subarray(at, at + size));
      assert.deepEqual(found, [a, b]);
    }
  });

  it('name servers', () => {
    assert.deepEqual(nameServers('# x\nsearch a b\nnameserver 10.0.0.10\n nameserver fd00::a\nnameserver nonsense\n'), [
      { host: '10.0.0.10', port: 53 },
      { host: 'fd00::a', port: 53 },
    ]);
    assert.deepEqual(nameServer('[::1]:54', nameServer('10.0.0.1')), [
      { host: '10.0.0.1', port: 53 },
      { host: '::1', port: 54 },
    ]);
    assert.throws(() => nameServer('dns.test'));
  });
});

describe('the DNS proxy of an agent', () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  });

  /** A name server that knows one name; `deaf` takes questions and says nothing. */
  async function elsewhere(deaf = false): Promise<{ readonly port: number; readonly asked: string[] }> {
    const asked: string[] = [];
    const socket = createSocket('udp4');
    socket.on('error', () => undefined);
    socket.on('message', (message, from) => {
      const found = parseQuery(message);
      if (found === undefined) return;
      asked.push(found.name);
      if (deaf) return;
      const reply = answerOf(found, found.name === 'elsewhere.test' ? ['192.0.2.7'] : [], 512);
      if (found.name !== 'elsewhere.test') reply.writeUInt16BE(reply.readUInt16BE(2) | 3, 2);
      socket.send(reply, from.port, from.address, () => undefined);
    });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    ends.push(() => socket.close());
    return { port: socket.address().port, asked };
  }

  async function serving(known: KnownNames, ports: readonly number[], eachMs?: number): Promise<DnsServer> {
    const servers = ports.map((port) => ({ host: '127.0.0.1', port }));
    const server = await serveDns({
      hosts: ['127.0.0.1'],
      port: 0,
      known,
      upstream: upstream(() => servers, eachMs),
      log: pino({ level: 'silent' }),
    });
    ends.push(() => server.close());
    return server;
  }

  function resolver({ port }: DnsServer): dns.Resolver {
    const found = new dns.Resolver({ timeout: 5_000, tries: 2 });
    found.setServers([`127.0.0.1:${port}`]);
    return found;
  }

  it('answers names of the mesh, asks for each once, and hands the rest on', async () => {
    const known = new KnownNames(systemTimers);
    const mesh = new Mesh(known, { 'ledger.internal': ['240.240.0.1'] });
    const other = await elsewhere();
    const client = resolver(await serving(known, [other.port]));
    assert.deepEqual(await client.resolve4('ledger.internal'), ['240.240.0.1']);
    assert.deepEqual(await client.resolve4('ledger.internal'), ['240.240.0.1']);
    await assert.rejects(client.resolve6('ledger.internal'), { code: 'ENODATA' });
    await assert.rejects(client.resolveMx('ledger.internal'), { code: 'ENODATA' });
    assert.deepEqual(await client.resolve4('elsewhere.test'), ['192.0.2.7']);
    await assert.rejects(client.resolve4('nobody.test'), { code: 'ENOTFOUND' });
    assert.deepEqual(mesh.followed, ['ledger.internal', 'elsewhere.test', 'nobody.test']);
    known.said('nobody.test', ['240.240.0.2']);
    assert.deepEqual(await client.resolve4('nobody.test'), ['240.240.0.2']);
  });

  it('a mesh that cannot be asked, or is slow, holds nobody up; what it said stays', async () => {
    const known = new KnownNames(systemTimers);
    const mesh = new Mesh(known, { 'ledger.internal': ['240.240.0.1'] });
    const client = resolver(await serving(known, [(await elsewhere()).port]));
    await client.resolve4('ledger.internal');
    mesh.live = false;
    mesh.silent = true;
    assert.deepEqual(await client.resolve4('ledger.internal'), ['240.240.0.1']);
    assert.deepEqual(await client.resolve4('elsewhere.test'), ['192.0.2.7']);
    mesh.live = true;
    await assert.rejects(client.resolve4('slow.test'), { code: 'ENOTFOUND' });
  });

  it('asks the next name server when one says nothing; says so when none does', async () => {
    const known = new KnownNames(systemTimers);
    const [deaf, other] = [await elsewhere(true), await elsewhere()];
    const client = resolver(await serving(known, [deaf.port, other.port], 200));
    assert.deepEqual(await client.resolve4('elsewhere.test'), ['192.0.2.7']);
    assert.deepEqual(deaf.asked, ['elsewhere.test']);
    const alone = resolver(await serving(known, [deaf.port], 200));
    await assert.rejects(alone.resolve4('elsewhere.test'), { code: 'ESERVFAIL' });
  });

  it('over TCP, several questions on a connection; rubbish ends it', async () => {
    const known = new KnownNames(systemTimers);
    const mesh = new Mesh(known, {
      'a.internal': Array.from({ length: 100 }, (_, at) => `192.0.2.${at}`),
      'b.internal': ['192.0.2.1'],
    });
    const server = await serving(known, []);
    assert.equal((await resolver(server).resolve4('a.internal')).length, 100, 'what is too large for UDP comes by TCP');
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    let found = 0;
    const messages = new TcpMessages(() => (found += 1));
    socket.on('data', (chunk: Buffer) => messages.take(chunk));
    socket.write(Buffer.concat([tcpMessage(question('a.internal')), tcpMessage(question('b.internal'))]));
    await eventually('both', () => (found === 2 ? true : undefined));
    socket.write(tcpMessage(Buffer.from('rubbish')));
    await once(socket, 'close');
    assert.ok(mesh.followed.length === 2);
  });

  it('forgets what was asked for longest ago', async () => {
    const known = new KnownNames(systemTimers);
    const mesh = new Mesh(known, {});
    mesh.live = false;
    for (let at = 0; at < 4_000; at++) await known.addressesOf(`n${at}`);
    await known.addressesOf('n0');
    await known.addressesOf('new');
    assert.deepEqual(mesh.dropped, ['n1']);
    assert.equal(known.names.length, 4_000);
  });
});
