// DNS of an injected pod: led to the agent in it, which knows the names of the mesh and asks the pod's name server for the rest.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { netnsObstacle } from '../../cli/up/netns/capture.ts';
import { TcpMessages, tcpMessage } from '../../sds/dns/tcp-messages.ts';
import { answerOf, parseQuery } from '../../sds/dns/wire.ts';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { eventually } from '../eventually.ts';
import { withApiServer } from './api-server.ts';
import { looseDefinition } from './definition.ts';
import { InjectedMesh } from './injected-mesh.ts';
import { asKubelet } from './node.ts';

const NUMBER = 23;
const HOST = `10.211.${NUMBER}.1`;
/** Many addresses: more than a datagram holds. */
const MANY = Array.from({ length: 100 }, (_, at) => `192.0.2.${at + 1}`);

const entry = (name: string, spec: object): object => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { name, namespace: 'shop' },
  spec,
});

describe('DNS of an injected pod', function () {
  this.timeout(240_000);
  const obstacle = netnsObstacle();
  if (obstacle !== undefined) {
    it.skip(obstacle);
    return;
  }
  const api = withApiServer();
  let mesh: InjectedMesh | undefined;
  let outside: Server | undefined;
  const ends: (() => void)[] = [];
  const asked: string[] = [];

  /** The pod's name server: knows two names. */
  function answer(message: Buffer, most: number): Buffer | undefined {
    const query = parseQuery(message);
    if (query === undefined) return undefined;
    asked.push(query.name);
    const known = new Map([
      ['elsewhere.test', ['192.0.2.7']],
      ['many.test', MANY],
    ]);
    const addresses = known.get(query.name);
    const reply = answerOf(query, addresses ?? [], most);
    if (addresses === undefined) reply.writeUInt16BE(reply.readUInt16BE(2) | 3, 2);
    return reply;
  }

  before(async function () {
    const envoy = envoyOrSkip(this);
    if (!api().hasControllers) return this.skip();
    await api().apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { 'istio-injection': 'enabled' } } },
      looseDefinition('networking.istio.io', 'ServiceEntry', { plural: 'serviceentries' }),
    );
    mesh = await InjectedMesh.start({
      api: api(),
      envoy,
      number: NUMBER,
      annotations: {
        'proxy.istio.io/config': 'proxyMetadata:\n  ISTIO_META_DNS_CAPTURE: "true"\n  ISTIO_META_DNS_AUTO_ALLOCATE: "true"\n',
      },
      volumes: () => ({ resolvConf: `search shop.svc.cluster.local\nnameserver ${HOST}\noptions ndots:5\n` }),
    });
    const udp = createSocket('udp4');
    udp.on('error', () => undefined);
    udp.on('message', (message, from) => {
      const reply = answer(message, 512);
      if (reply !== undefined) udp.send(reply, from.port, from.address, () => undefined);
    });
    udp.bind(53, HOST);
    await once(udp, 'listening');
    const tcp = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      const messages = new TcpMessages((message) => {
        const reply = answer(message, 65_535);
        if (reply !== undefined) socket.write(tcpMessage(reply));
      });
      socket.on('data', (chunk: Buffer) => messages.take(chunk));
    }).listen(53, HOST);
    await once(tcp, 'listening');
    outside = createServer((request, response) => response.end(`outside: ${request.headers.host}`)).listen(8088, HOST);
    await once(outside, 'listening');
    ends.push(
      () => udp.close(),
      () => tcp.close(),
    );
    const { port } = { port: 8088 };
    await api().apply(
      // Nobody's DNS knows it, and it has no address: the mesh gives it one.
      entry('ledger', {
        hosts: ['ledger.internal'],
        ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
        resolution: 'STATIC',
        location: 'MESH_EXTERNAL',
        endpoints: [{ address: HOST, ports: { http: port } }],
      }),
      // By TCP nothing but the address tells one from the other.
      entry('bytes', {
        hosts: ['bytes.internal'],
        ports: [{ number: 9000, name: 'tcp', protocol: 'TCP' }],
        resolution: 'STATIC',
        location: 'MESH_EXTERNAL',
        endpoints: [{ address: HOST, ports: { tcp: port } }],
      }),
    );
  });
  after(async () => {
    for (const end of ends) end();
    outside?.close();
    await mesh?.stop();
  });

  const web = () => mesh?.pod('web') ?? assert.fail('no mesh');
  /** As the C library would: the name server that resolv.conf names. */
  const resolver = `const r = new (require('node:dns').promises.Resolver)({ timeout: 2000, tries: 2 }); r.setServers(['${HOST}']);`;
  const resolved = (call: string): Promise<string> =>
    web().ask(`${resolver} r.${call}.then((a) => console.log(JSON.stringify(a)), (e) => console.log(e.code))`);
  /** A call by name, whose address comes by DNS. */
  const called = (name: string, port: number): Promise<string> =>
    web().ask(
      `${resolver} r.resolve4('${name}').then(([address]) => fetch('http://' + address + ':${port}/', { signal: AbortSignal.timeout(5000) }).then(async (x) => console.log(x.status, await x.text()))).catch((e) => console.log('none', String(e)))`,
    );
  /** Waits until it says so; tells what it said at last. */
  async function says(what: string, ask: () => Promise<string>, wanted: RegExp): Promise<string> {
    let last = '';
    return eventually(
      what,
      async () => {
        last = await ask();
        return wanted.test(last) ? last : undefined;
      },
      60_000,
    ).catch((error: unknown) => assert.fail(`${String(error)}\n${last}\n${web().said}\n${mesh?.errors ?? ''}`));
  }

  it('names of the mesh that no DNS knows have addresses', async () => {
    await says('the proxy is ready', () => asKubelet(`http://${mesh?.ip('web') ?? ''}:15021/healthz/ready`), /^200/);
    const found = await says(
      'the name has an address',
      () => resolved("resolve4('ledger.internal')"),
      /^\["240\.240\.\d+\.\d+"\]$/,
    );
    assert.match(await resolved("resolve4('bytes.internal')"), /240\.240/);
    assert.notEqual(await resolved("resolve4('bytes.internal')"), found);
    assert.equal(await resolved("resolve4('LEDGER.Internal')"), found, 'in capitals it is the same');
    assert.equal(await resolved("resolve6('ledger.internal')"), 'ENODATA', 'the name is there, an address of that family is not');
    assert.equal(await resolved("resolveMx('ledger.internal')"), 'ENODATA');
  });

  it('TCP finds its way by the address alone', async () => {
    await says('the bytes arrive', () => called('bytes.internal', 9000), /^200 outside: 240\.240\./);
  });

  it('a Service has its address, without a question to anybody else', async () => {
    assert.equal(await resolved("resolve4('users.shop.svc.cluster.local')"), JSON.stringify([mesh?.serviceIp]));
    assert.ok(!asked.includes('users.shop.svc.cluster.local'), asked.join(' '));
  });

  it("everything else is the pod's name server's to say, over UDP and over TCP where that is too small", async () => {
    assert.equal(await resolved("resolve4('elsewhere.test')"), '["192.0.2.7"]');
    assert.equal(await resolved("resolve4('nobody.test')"), 'ENOTFOUND');
    const many: unknown = JSON.parse(await resolved("resolve4('many.test')"));
    assert.deepEqual(Array.isArray(many) ? many.length : many, MANY.length);
    assert.ok(asked.includes('elsewhere.test'));
  });

  it('a ServiceEntry that comes, changes and goes', async () => {
    const host = {
      hosts: ['late.internal'],
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      resolution: 'STATIC',
      endpoints: [{ address: HOST }],
    };
    const now = (): Promise<string> => resolved("resolve4('late.internal')");
    assert.equal(await now(), 'ENOTFOUND');
    await api().apply(entry('late', { ...host, addresses: ['203.0.113.9'] }));
    await says('it is there', now, /^\["203\.0\.113\.9"\]$/);
    await api().apply(entry('late', { ...host, addresses: ['203.0.113.10'] }));
    await says('its new address', now, /^\["203\.0\.113\.10"\]$/);
    await api().apply(entry('late', { ...host, addresses: ['203.0.113.10'], exportTo: ['istio-system'] }));
    await says('not for this namespace', now, /^ENOTFOUND$/);
    await api().kubectl(['delete', 'serviceentries', 'late', '-n', 'shop']);
  });
});
