// Webhooks to a real HTTPS receiver: signed, tried again while it is away, slow or failing, over a restart, and nowhere else.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { isSigned, SIGNATURE_HEADER } from '../../../audit/alerts/signature.ts';
import type { AccessRecord } from '../../../audit/model/record.ts';
import type { Webhook } from '../../../cli/serve/alerts/settings.ts';
import { type RunningAlerts, startAlerts } from '../../../cli/serve/alerts/start.ts';
import { post } from '../../../cli/serve/alerts/webhook.ts';
import { snapshotOf } from '../../up/snapshot.ts';
import { eventually } from '../../eventually.ts';
import { record } from '../edges.ts';
import { type Issued, TestAuthority } from '../envoy/certificates.ts';
import { id } from '../world.ts';
import { Receiver } from './receiver.ts';

const SECRET = Buffer.from('a secret of sixteen bytes and more');
const clock = (): Date => new Date();
const log = pino({ level: 'silent' });
const nothing = snapshotOf('');

describe('webhooks', function () {
  this.timeout(60_000);
  const dir = mkdtempSync(join(tmpdir(), 'gh-alerts-'));
  let authority: TestAuthority;
  let certificate: Issued;
  let receiver: Receiver;
  let webhook: Webhook;
  let running: RunningAlerts | undefined;
  let files = 0;

  before(async () => {
    authority = await TestAuthority.create();
    certificate = await authority.issueForHost('localhost');
  });
  beforeEach(async () => {
    receiver = await Receiver.start(certificate);
    webhook = {
      name: 'test',
      url: new URL(`https://localhost:${String(receiver.port)}/in?x=1`),
      secret: SECRET,
      authorities: authority.root,
      timeoutMs: 1_000,
    };
  });
  afterEach(async () => {
    running?.close();
    running = undefined;
    await receiver.stop();
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  const message = (name: string) => ({ id: name, body: JSON.stringify({ id: name }), at: Date.now() });
  const start = (file = join(dir, `alerts-${String(files++)}.db`), to = webhook): string => {
    const rules = { newEdge: { namespaces: undefined, learnMs: 0 }, plainText: undefined, denialSpike: undefined };
    running = startAlerts({ rules, webhooks: [to] }, { file, snapshot: () => nothing, clock, log });
    return file;
  };
  const call = (name: string): AccessRecord =>
    record({ source: { principal: id(`ns/shop/sa/${name}`), workload: `shop/${name}`, address: '10.0.0.2' } });
  const summaries = (): readonly unknown[] => receiver.received.map(({ body }): unknown => JSON.parse(body).summary);
  const stats = () => running?.stats().webhooks.get('test');

  it('a POST of JSON, signed, with the id of the alert', async () => {
    await post(webhook, message('one'), clock);
    const [got] = receiver.received;
    assert.ok(got);
    assert.deepEqual(
      [got.method, got.path, got.headers['content-type'], got.headers['gatehouse-alert-id']],
      ['POST', '/in?x=1', 'application/json', 'one'],
    );
    const signature = String(got.headers[SIGNATURE_HEADER.toLowerCase()]);
    assert.ok(isSigned(signature, got.body, SECRET, clock()));
    assert.ok(!isSigned(signature, `${got.body} `, SECRET, clock()));
    assert.ok(!isSigned(signature, got.body, Buffer.from('another secret of some length'), clock()));
    assert.ok(!isSigned(signature, got.body, SECRET, new Date(Date.now() + 600_000)));
    assert.ok(!isSigned('', got.body, SECRET, clock()));
  });

  it('no other server: neither one with another name or authority, nor where a redirect leads', async () => {
    const other = await TestAuthority.create();
    await assert.rejects(post({ ...webhook, authorities: other.root }, message('one'), clock));
    await assert.rejects(
      post({ ...webhook, url: new URL(`https://127.0.0.1:${String(receiver.port)}/`) }, message('one'), clock),
    );
    assert.deepEqual(receiver.received, []);
    receiver.react = () => ({ status: 307, headers: { location: `https://localhost:${String(receiver.port)}/elsewhere` } });
    await assert.rejects(post(webhook, message('one'), clock), /it answered 307/);
    assert.deepEqual(
      receiver.received.map(({ path }) => path),
      ['/in?x=1'],
    );
  });

  it('a receiver that says nothing is left after the time that is set', async () => {
    receiver.react = () => 'silence';
    await assert.rejects(post({ ...webhook, timeoutMs: 200 }, message('one'), clock), /did not answer within 200 ms/);
  });

  it('a receiver that fails at first gets each alert in the end, in order, once', async () => {
    let failures = 2;
    receiver.react = () => (failures-- > 0 ? { status: 500 } : { status: 200 });
    start();
    running?.observe([call('a'), call('b')]);
    running?.observe([call('a'), call('c')]);
    await eventually('three delivered', () => (stats()?.delivered === 3 ? true : undefined), 30_000);
    const ids = receiver.received.map(({ headers }) => headers['gatehouse-alert-id']);
    assert.equal(ids.length, 5);
    assert.deepEqual([ids[0], ids[0]], [ids[1], ids[2]]);
    assert.deepEqual(
      summaries().slice(2),
      ['shop/a', 'shop/b', 'shop/c'].map((name) => `${name} called shop/app for the first time`),
    );
    assert.deepEqual(stats(), { waiting: 0, delivered: 3, failedTries: 2, dropped: 0 });
  });

  it('what a receiver that is away did not get it gets after a restart, and nothing that it had is told again', async () => {
    const { port } = receiver;
    const file = start();
    running?.observe([call('a')]);
    await eventually('the first', () => (stats()?.delivered === 1 ? true : undefined));
    await receiver.stop();
    running?.observe([call('b')]);
    await eventually('a try', () => ((stats()?.failedTries ?? 0) > 0 ? true : undefined));
    running?.close();
    receiver = await Receiver.start(certificate, port);
    start(file);
    running?.observe([call('a'), call('b')]);
    await eventually('the second', () => (stats()?.delivered === 1 ? true : undefined), 30_000);
    assert.deepEqual(summaries(), ['shop/b called shop/app for the first time']);
    running?.close();
    start(file);
    running?.observe([call('a'), call('b'), call('c')]);
    await eventually('the third', () => (receiver.received.length === 2 ? true : undefined));
    assert.deepEqual(
      summaries(),
      ['b', 'c'].map((name) => `shop/${name} called shop/app for the first time`),
    );
  });
});
