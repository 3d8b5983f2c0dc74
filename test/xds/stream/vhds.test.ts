import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import type { ResourceSet } from '../../../xds/resource-set.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { eventually } from '../../eventually.ts';
import { hostsSet } from './envoy-resources.ts';
import { application } from './application.ts';
import { type Envoy, startEnvoy } from './envoy.ts';
import { publishTo } from './publish.ts';
import { type Running, startServer } from './server.ts';

const HOSTS = 300;

function get(agent: Agent, port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ agent, port, host: '127.0.0.1', headers: { host } }, (response) => {
      let body = '';
      response.on('data', (part: Buffer) => (body += part.toString()));
      response.on('end', () => resolve(response.statusCode === 200 ? body : `${response.statusCode}`));
    })
      .on('error', reject)
      .end();
  });
}

describe('virtual hosts as resources, in a real Envoy with two workers', function () {
  this.timeout(120_000);
  let running: Running;
  let envoy: Envoy;
  const applications: { close(): Promise<void> }[] = [];
  const clusters: Record<string, number> = {};
  const agent = new Agent({ keepAlive: true });
  const hosts: Record<string, string> = Object.fromEntries(Array.from({ length: HOSTS }, (_, at) => [`svc-${at}`, 'blue']));

  before(async function () {
    const path = envoyOrSkip(this);
    for (const colour of ['blue', 'green']) {
      const made = await application(colour);
      applications.push(made);
      clusters[colour] = made.port;
    }
    running = await startServer();
    envoy = await startEnvoy(path, running.address, 'delta', 2);
  });
  after(async () => {
    agent.destroy();
    await envoy?.stop();
    running?.stop();
    await Promise.all(applications.map((one) => one.close()));
  });

  const publish = async (set: ResourceSet): Promise<void> => {
    await publishTo(running, set);
    assert.deepEqual(running.only()?.rejected, []);
  };
  const sent = () => running.only()?.sent ?? { responses: 0, resources: 0, bytes: 0 };
  const answers = (port: number, host: string, wanted: string) =>
    eventually(`${host} is answered with ${wanted}`, async () => ((await get(agent, port, host)) === wanted ? true : undefined));

  it('gets hundreds at once, and answers unknown hosts by the fallback', async () => {
    await publish(hostsSet(clusters, { a: hosts }));
    const port = await envoy.port('a');
    await answers(port, 'svc-0', 'blue');
    await answers(port, `svc-${HOSTS - 1}`, 'blue');
    await answers(port, 'nobody', '502');
  });

  it('is sent the changed one alone, new ones, and the names of those that are gone', async () => {
    const port = await envoy.port('a');
    let before = sent();
    await publish(hostsSet(clusters, { a: { ...hosts, 'svc-7': 'green' } }));
    assert.equal(sent().resources - before.resources, 1);
    assert.ok(sent().bytes - before.bytes < 500, `${sent().bytes - before.bytes} bytes`);
    await answers(port, 'svc-7', 'green');
    await answers(port, 'svc-8', 'blue');
    before = sent();
    const { 'svc-8': _, ...rest } = hosts;
    await publish(hostsSet(clusters, { a: { ...rest, another: 'green' } }));
    assert.equal(sent().resources - before.resources, 2);
    await answers(port, 'another', 'green');
    await answers(port, 'svc-7', 'blue');
    await answers(port, 'svc-8', '502');
    await publish(hostsSet(clusters, { a: hosts }));
  });

  it('has a listener more, later, whose hosts come although Envoy does not ask for them, and one less and again', async () => {
    await publish(hostsSet(clusters, { a: hosts, b: { only: 'green' } }));
    const port = await envoy.port('b');
    await answers(port, 'only', 'green');
    await answers(port, 'svc-1', '502');
    await publish(hostsSet(clusters, { a: hosts }));
    await publish(hostsSet(clusters, { a: hosts, b: { only: 'blue', 'svc-1': 'green' } }));
    const again = await eventually('the listener is there again', () => envoy.port('b').catch(() => undefined));
    await answers(again, 'only', 'blue');
    await answers(again, 'svc-1', 'green');
    await answers(await envoy.port('a'), 'svc-1', 'blue');
  });

  it('has routes left with nothing but the fallback', async () => {
    await publish(hostsSet(clusters, { a: hosts, b: {} }));
    await answers(await envoy.port('b'), 'only', '502');
    await publish(hostsSet(clusters, { a: hosts }));
  });

  it('a domain passes from one to another at once, without a refusal', async () => {
    const port = await envoy.port('a');
    await publish(hostsSet(clusters, { a: { ...hosts, moved: 'blue' } }));
    await answers(port, 'moved', 'blue');
    await publish(hostsSet(clusters, { a: { ...hosts, MOVED: 'green' } }));
    await answers(port, 'moved', 'green');
    await publish(hostsSet(clusters, { a: hosts }));
  });

  const rejected = () => running.only()?.rejected.map(({ name }) => name) ?? [];

  it('two swap their domains at once, without a refusal', async () => {
    const port = await envoy.port('a');
    await publish(hostsSet(clusters, { a: { ...hosts, 'one@first': 'blue', 'two@second': 'green' } }));
    await answers(port, 'first', 'blue');
    await publish(hostsSet(clusters, { a: { ...hosts, 'one@second': 'blue', 'two@first': 'green' } }));
    await answers(port, 'first', 'green');
    await answers(port, 'second', 'blue');
    await publish(hostsSet(clusters, { a: hosts }));
  });

  it('a domain passes on although another virtual host of the response is refused, which alone is named', async () => {
    const port = await envoy.port('a');
    await publish(hostsSet(clusters, { a: { ...hosts, 'old@moving': 'blue' } }));
    await answers(port, 'moving', 'blue');
    const next = { ...hosts, 'fresh@moving': 'green', broken: 'bad', 'svc-5': 'green' };
    await publishTo(running, hostsSet(clusters, { a: next }));
    await answers(port, 'moving', 'green');
    await answers(port, 'svc-5', 'green');
    assert.deepEqual(rejected(), ['a-routes/broken']);
    const before = sent();
    await publishTo(running, hostsSet(clusters, { a: { ...next, 'svc-6': 'green' } }));
    assert.equal(sent().resources - before.resources, 1);
    await publish(hostsSet(clusters, { a: hosts }));
    await answers(port, 'moving', '502');
  });

  it('two that swap beside a refused one keep what they had, and swap when that is right', async () => {
    const port = await envoy.port('a');
    await publish(hostsSet(clusters, { a: { ...hosts, 'one@first': 'blue', 'two@second': 'green', broken: 'blue' } }));
    await answers(port, 'first', 'blue');
    const swapped = { ...hosts, 'one@second': 'blue', 'two@first': 'green' };
    await publishTo(running, hostsSet(clusters, { a: { ...swapped, broken: 'bad' } }));
    assert.ok(rejected().includes('a-routes/broken'));
    await answers(port, 'broken', 'blue');
    await publish(hostsSet(clusters, { a: { ...swapped, broken: 'green' } }));
    await answers(port, 'first', 'green');
    await answers(port, 'second', 'blue');
    await answers(port, 'broken', 'green');
    await publish(hostsSet(clusters, { a: hosts }));
  });

  it('reconnects and is sent what changed meanwhile, and no more', async () => {
    const port = await envoy.port('a');
    const since = running.only()?.connectedAt.getTime() ?? 0;
    running.disconnect();
    const back = () =>
      eventually('Envoy is back and has answered', () => {
        const now = running.only();
        return now !== undefined && now.connectedAt.getTime() > since && now.acknowledged > 0 ? true : undefined;
      });
    await back();
    assert.equal(sent().resources, 0);
    await answers(port, 'svc-3', 'blue');
    await publish(hostsSet(clusters, { a: { ...hosts, 'svc-3': 'green' } }));
    await answers(port, 'svc-3', 'green');
    assert.equal(sent().resources, 1);
    await publish(hostsSet(clusters, { a: hosts }));
  });

  it('takes a thousand changes in a row without a failed request', async () => {
    const port = await envoy.port('a');
    const failed: string[] = [];
    const traffic = { ends: false };
    const callers = Array.from({ length: 4 }, async (_, caller) => {
      for (let at = caller; !traffic.ends; at += 1) {
        const answer = await get(agent, port, `svc-${at % 40}`);
        if (answer !== 'blue' && answer !== 'green') failed.push(answer);
      }
    });
    const before = sent();
    for (let change = 0; change < 1_000; change += 1) {
      hosts[`svc-${change % 40}`] = Math.floor(change / 40) % 2 === 0 ? 'green' : 'blue';
      await publish(hostsSet(clusters, { a: hosts }));
    }
    traffic.ends = true;
    await Promise.all(callers);
    assert.deepEqual(failed, []);
    assert.equal(sent().resources - before.resources, 1_000);
    await answers(port, 'svc-39', hosts['svc-39'] ?? '');
    await answers(port, 'svc-0', hosts['svc-0'] ?? '');
  });
});
