// The seeds' company: crawlers hammer the website, and telephones get the mobile site. Limits hold back the crawlers and nobody else.
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { inBothCaptureModes } from './capture-modes.ts';
import { RunningMesh, samples } from './running-mesh.ts';

const WEBSITE = 'website.shop.localhost';
const GATEWAY = 'istio-system/istio-ingressgateway';

const limits = (namespace: string, selector: string, list: readonly string[]): string => `apiVersion: gatehouse.dev/v1alpha1
kind: RateLimit
metadata: {name: limits, namespace: ${namespace}}
spec:
  selector: {matchLabels: {${selector}}}
  limits:
${list.map((one) => `  - {${one}}`).join('\n')}
`;
const atGateway = (...list: readonly string[]): string => limits('istio-system', 'istio: ingressgateway', list);
const atWebsite = (...list: readonly string[]): string => limits('shop', 'app: website', list);

interface Got {
  readonly status: number;
  readonly body: string;
}

/** Someone outside, at an address of their own, who keeps connections open. */
class Client {
  readonly sockets = new Set<Socket>();
  readonly counts = new Map<number, number>();
  readonly failures: string[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });
  readonly #to: readonly string[];
  readonly #address: string | undefined;

  constructor(gateway: string, address?: string) {
    this.#to = gateway.split(':');
    this.#address = address;
  }

  get(path: string, headers: Record<string, string> = {}, host = WEBSITE): Promise<Got> {
    const [address, port] = this.#to;
    const from = this.#address === undefined ? {} : { localAddress: this.#address };
    return new Promise((resolve, reject) => {
      const sent = request(
        { host: address, port, path, agent: this.#agent, headers: { host, ...headers }, ...from },
        (response) => {
          let body = '';
          response.setEncoding('utf8');
          response.on('data', (text: string) => (body += text));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
          response.on('error', reject);
        },
      );
      sent.on('socket', (socket) => this.sockets.add(socket));
      sent.on('error', reject);
      sent.end();
    });
  }

  async one(path: string, headers: Record<string, string> = {}): Promise<void> {
    try {
      const { status } = await this.get(path, headers);
      this.counts.set(status, (this.counts.get(status) ?? 0) + 1);
    } catch (error) {
      this.failures.push(String(error));
    }
  }

  /** As fast as it goes, until told to stop. */
  async hammer(path: string, until: () => boolean, headers: Record<string, string> = {}): Promise<void> {
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!until()) await this.one(path, headers);
      }),
    );
  }

  count(status: number): number {
    return this.counts.get(status) ?? 0;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/**
 * Never more than a bucket gives in a time, but for when the clock of either side was read; and not much less: where the machine is
 * busy, those who flood are not there at every moment at which something is given.
 */
function within(got: number, burst: number, rate: number, ms: number, what: string): void {
  const expected = burst + (rate * ms) / 1000;
  assert.ok(got <= expected + Math.max(3, expected * 0.05), `${what}: ${got} got through, more than ${expected.toFixed(1)}`);
  assert.ok(got >= expected * 0.6, `${what}: ${got} got through, far less than ${expected.toFixed(1)}`);
}

inBothCaptureModes('rate limits under load', (capture) => {
  const SECONDS = 3;
  let mesh: RunningMesh;
  const clients: Client[] = [];

  const client = (address?: string): Client => {
    const made = new Client(mesh.gateway, address);
    clients.push(made);
    return made;
  };
  /** Requests that the website itself answered, by its proxy's count. */
  const atServer = async (): Promise<number> => {
    const text = await mesh.admin('shop/website', '/stats?filter=^cluster.inbound.8080[|]*.upstream_rq_completed$');
    return text.split('\n').reduce((sum, line) => sum + Number(/: (\d+)$/.exec(line)?.[1] ?? 0), 0);
  };
  const for3s = () => {
    const start = performance.now();
    return { over: () => performance.now() - start > SECONDS * 1000, ms: () => performance.now() - start };
  };

  before('start the shop', async () => {
    mesh = await RunningMesh.start([join(samples, 'shop')], capture);
  });
  after(() => mesh?.stop());
  afterEach(() => {
    for (const one of clients.splice(0)) one.close();
  });

  it('crawlers are limited by address, others are not; telephones get the mobile site all the while', async () => {
    await mesh.apply(atGateway('name: each-client, requests: 20, per: 1s, burst: 30, by: clientAddress'), 'limits.yaml');
    const before = await atServer();
    const crawlers = ['127.60.0.1', '127.60.0.2'].map(client);
    const visitors = Array.from({ length: 20 }, (_, at) => client(`127.61.0.${at + 1}`));
    const phone = client('127.62.0.1');
    const time = for3s();
    const flood = Promise.all(crawlers.map((one) => one.hammer('/', time.over)));
    for (let round = 0; round < 10; round += 1) {
      for (const one of visitors) await one.one('/');
      assert.match((await phone.get('/', { 'user-agent': 'Mozilla/5.0 (iPhone)' })).body, /This is mobile/);
      assert.match((await phone.get('/', { 'user-agent': 'Mozilla/5.0 (X11; Linux)' })).body, /This is website/);
    }
    await flood;
    const ms = time.ms();
    for (const one of crawlers) {
      within(one.count(200), 30, 20, ms, 'a crawler');
      assert.ok(one.count(429) > 200, `only ${one.count(429)} refused: no flood`);
    }
    for (const one of visitors) assert.deepEqual([...one.counts], [[200, 10]]);
    const answered = crawlers.reduce((sum, one) => sum + one.count(200), 0) + 200 + 10;
    assert.equal((await atServer()) - before, answered, 'the server answered what was let through, and nothing else');
    if (process.env['SHOW'] !== undefined)
      console.log({ ms, crawlers: crawlers.map(({ counts }) => Object.fromEntries(counts)), visitors: 200, answered });
  });

  it('a path and each value of a header, in front of one workload', async () => {
    await mesh.remove('limits.yaml');
    await mesh.apply(
      atWebsite('name: each-user, requests: 10, per: 1s, burst: 10, match: {uri: {exact: /}}, by: {header: x-user}'),
      'limits.yaml',
    );
    const before = await atServer();
    const users = ['alice', 'bob'].map((name) => ({ name, client: client() }));
    const other = client();
    const elsewhere = client();
    const time = for3s();
    const flood = Promise.all([
      ...users.map(({ name, client: one }) => one.hammer('/', time.over, { 'x-user': name })),
      elsewhere.hammer('/elsewhere', time.over),
    ]);
    for (let at = 0; at < 8; at += 1) await other.one('/', { 'x-user': 'carol' });
    await flood;
    const ms = time.ms();
    for (const { name, client: one } of users) {
      within(one.count(200), 10, 10, ms, name);
      assert.ok(one.count(429) > 100, `only ${one.count(429)} refused`);
    }
    assert.deepEqual([...other.counts], [[200, 8]]);
    assert.deepEqual([...elsewhere.counts.keys()], [404]);
    const answered = users.reduce((sum, { client: one }) => sum + one.count(200), 0) + 8 + elsewhere.count(404);
    assert.equal((await atServer()) - before, answered);
    if (process.env['SHOW'] !== undefined)
      console.log({ ms, users: users.map(({ client: one }) => Object.fromEntries(one.counts)), elsewhere: elsewhere.counts });
  });

  it('clients are told apart in front of a workload too, by what the gateway says of them, not by what they say', async () => {
    await mesh.remove('limits.yaml');
    await mesh.apply(atWebsite('name: each-client, requests: 3, per: 24h, by: clientAddress'), 'limits.yaml');
    const forger = client('127.63.0.1');
    for (let at = 0; at < 6; at += 1) await forger.one('/', { 'x-forwarded-for': `198.51.100.${at}` });
    assert.deepEqual(
      [...forger.counts],
      [
        [200, 3],
        [429, 3],
      ],
    );
    const other = client('127.63.0.2');
    for (let at = 0; at < 3; at += 1) await other.one('/');
    assert.deepEqual([...other.counts], [[200, 3]]);
  });

  it('changes of limits under load drop no connection and replace no listener', async () => {
    await mesh.remove('limits.yaml');
    const replaced = async () =>
      (
        await Promise.all(
          [GATEWAY, 'shop/website'].map((one) =>
            mesh.admin(one, '/stats?filter=listener_manager.*(modified|in_place|draining|added|removed)'),
          ),
        )
      ).join('');
    const untouched = await replaced();
    const visitor = client();
    let over = false;
    const load = visitor.hammer('/', () => over);
    const refusing = async (): Promise<void> => {
      const seen = visitor.count(429);
      await eventually('requests are refused', () => (visitor.count(429) > seen ? true : undefined));
    };
    await mesh.apply(atGateway('name: all, requests: 5, per: 1s'), 'limits.yaml');
    await refusing();
    await mesh.apply(
      atGateway('name: all, requests: 50, per: 1s', 'name: each, requests: 20, per: 1s, by: clientAddress'),
      'limits.yaml',
    );
    await refusing();
    await mesh.apply(atWebsite('name: all, requests: 10, per: 1s'), 'limits.yaml');
    await refusing();
    await mesh.remove('limits.yaml');
    // Answers that were on their way may still come.
    let since = { refused: visitor.count(429), good: visitor.count(200) };
    await eventually('all is let through again', () => {
      if (visitor.count(429) !== since.refused) since = { refused: visitor.count(429), good: visitor.count(200) };
      return visitor.count(200) > since.good + 300 ? true : undefined;
    });
    over = true;
    await load;
    assert.deepEqual(visitor.failures, []);
    assert.deepEqual([...visitor.counts.keys()].sort(), [200, 429]);
    assert.equal(visitor.sockets.size, 4, 'connections were closed');
    assert.equal(await replaced(), untouched, 'a listener was replaced');
  });

  it('the report tells what was held back', async () => {
    const told = await eventually('the edges', async () => {
      const found = (await mesh.edges()).filter(({ reason }) => reason === 'held back by a rate limit');
      return found.some(({ destination }) => destination.workload === 'shop/website') ? found : undefined;
    });
    for (const edge of told) assert.equal(edge.verdict, 'unreached');
  });
});
