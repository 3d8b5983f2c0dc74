// A mesh with a known load, and what others read of it: Prometheus with the questions of Kiali, of Istio's dashboards and of ours.
import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { type Answer, hasPrometheus, Prometheus } from '../tools/prometheus.ts';
import { expressionsOf } from './measured/dashboards.ts';
import { field } from './load.ts';
import {
  EDGE_LABELS,
  graphQuestions,
  healthQuestion,
  meshQuestions,
  REQUEST_FURTHER,
  responseTimeQuestions,
  securityQuestion,
  TCP_FURTHER,
  throughputQuestion,
} from './measured/queries.ts';
import { get, RunningMesh, root, samples } from './running-mesh.ts';

const PAGES = 30;
const DENIED = 5;
const LOST = 4;
const CONNECTIONS = 6;
const PLAIN = 3;
/** Calls of gRPC by the status that is asked for. */
const GREETINGS: Readonly<Record<string, number>> = { 0: 4, 5: 3, 12: 2 };
const GREETED = Object.values(GREETINGS).reduce((sum, count) => sum + count, 0);
const LINE = 'x'.repeat(999) + '\n';
const PRODUCT = '/api/v1/products/0';

/** A line to the server of lines and back. */
async function line(address: string): Promise<void> {
  const [host, port] = address.split(':');
  const socket = connect({ host: host ?? '', port: Number(port) });
  socket.on('error', () => undefined);
  socket.write(LINE);
  let heard = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) if ((heard += chunk.length) >= LINE.length) break;
  assert.equal(heard, LINE.length);
  socket.destroy();
}

/** What a proxy that wants mutual TLS does with plain text: it closes. */
async function plain(host: string, port: number): Promise<void> {
  const socket = connect({ host, port });
  socket.on('error', () => undefined);
  socket.write('GET / HTTP/1.1\r\nhost: details\r\n\r\n');
  socket.resume();
  // A reset is a way to close as well.
  await new Promise((resolve) => socket.on('close', resolve));
}

/** One gRPC call through the gateway, by its status. */
async function greet(address: string, status: number): Promise<void> {
  const session = connectHttp2(`http://${address}`);
  session.on('error', () => undefined);
  const stream = session.request({
    ':method': 'POST',
    ':path': `/greet.Greeter/S${String(status)}`,
    ':authority': 'greeter.test',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => undefined);
  let told: unknown;
  stream.on('response', (headers) => (told = headers['grpc-status'] ?? told));
  stream.on('trailers', (trailers) => (told = trailers['grpc-status'] ?? told));
  stream.resume();
  stream.end(Buffer.from([0, 0, 0, 0, 0]));
  await new Promise((resolve) => stream.on('close', resolve));
  session.destroy();
  assert.equal(told, String(status));
}

describe('a mesh that is measured by Prometheus', function () {
  this.timeout(300_000);
  let mesh: RunningMesh;
  let prometheus: Prometheus;
  /** The time that holds all of the load and none of what was before, and its end. */
  let window: string;
  let end: number;
  const versions = { v1: 0, v2: 0, v3: 0 };

  const asked = async (query: string): Promise<readonly Answer[]> => eventually(query, () => prometheus.ask(query, end), 30_000);
  const number = async (query: string): Promise<number> => {
    const [one, ...others] = await asked(query);
    assert.ok(one !== undefined && others.length === 0, `${query}: ${JSON.stringify([one, ...others])}`);
    return one.value;
  };
  /** Requests of the load by two labels, from rates: all series are of the same moments, so proportions are exact. */
  const counted = (answers: readonly Answer[], total: number, per: (labels: Answer['labels']) => string) => {
    const sums = new Map<string, number>();
    for (const { labels, value } of answers) sums.set(per(labels), (sums.get(per(labels)) ?? 0) + value);
    const all = [...sums.values()].reduce((sum, value) => sum + value, 0);
    return Object.fromEntries([...sums].sort().map(([key, value]) => [key, Math.round((value / all) * total * 1000) / 1000]));
  };

  async function load(
    pages: number,
    denied: number,
    lost: number,
    connections: number,
    plainText: number,
    greetings: number,
  ): Promise<void> {
    for (let index = 0; index < pages; index++) {
      const reply = await get(mesh.gateway, PRODUCT);
      assert.equal(reply.status, 200, reply.body);
      const version = field(reply.body, 'upstream', 'reviews', 'body', 'version');
      assert.ok(version === 'v1' || version === 'v2' || version === 'v3', reply.body);
      versions[version]++;
    }
    for (let index = 0; index < denied; index++) assert.equal((await get(mesh.gateway, `${PRODUCT}/ratings`)).status, 403);
    for (const [status, count] of Object.entries(GREETINGS))
      for (let index = 0; index < count * greetings; index++) await greet(mesh.gateway, Number(status));
    for (let index = 0; index < lost; index++) assert.equal((await get(mesh.gateway, '/nowhere')).status, 404);
    const lines = mesh.ready.gatewayPorts['9400'];
    assert.ok(lines !== undefined, JSON.stringify(mesh.ready.gatewayPorts));
    for (let index = 0; index < connections; index++) await line(lines);
    for (let index = 0; index < plainText; index++) await plain(mesh.workload('default/details-v1').ip, 9080);
  }

  /** Until Prometheus has as many of both kinds as the load was; the time then, by its clock. */
  async function scraped(requests: number, connections: number): Promise<number> {
    await eventually(
      `${requests} requests and ${connections} connections`,
      async () => {
        const seen = await prometheus.value('sum(istio_requests_total)');
        const opened = await prometheus.value('sum(istio_tcp_connections_opened_total)');
        return seen === requests && opened === connections ? true : undefined;
      },
      60_000,
    ).catch(async (error: Error) =>
      assert.fail(
        `${error.message}: ${JSON.stringify(await prometheus.ask('istio_requests_total or istio_tcp_connections_opened_total'), null, 1)}`,
      ),
    );
    const at = await prometheus.value('timestamp(up)');
    assert.ok(at !== undefined);
    return at;
  }

  /** Records of both ends for what `load` sends. */
  const requestsOf = (pages: number, denied: number, lost: number, rated: number, greetings: number): number =>
    // Into the product page, details and reviews; into ratings; a denied call is two of the page and its own two; lost ones have one end.
    pages * 6 + rated * 2 + denied * 4 + lost + greetings * 2 * GREETED;

  before(async function () {
    if (!hasPrometheus()) return this.skip();
    const image = `gatehouse/test-steady=${process.execPath} ${join(root, 'test', 'feature', 'steady-server.mjs')}`;
    const greeter = `gatehouse/test-greeter=${process.execPath} ${join(root, 'test', 'feature', 'measured', 'greeter.mjs')}`;
    const sources = [
      join(samples, 'bookinfo'),
      join(root, 'test', 'feature', 'meshes', 'steady'),
      join(root, 'test', 'feature', 'measured', 'mesh.yaml'),
    ];
    mesh = await RunningMesh.start(sources, 'explicit', ['--image', image, '--image', greeter]);
    prometheus = await Prometheus.start(mesh.ready.controlPlane.http);
    // Each series is there before the load: Prometheus takes what a series begins with for no increase.
    const first = { pages: 0, rated: 0 };
    while (Object.values(versions).some((count) => count === 0)) {
      await load(1, 0, 0, 0, 0, 0);
      first.pages++;
    }
    await load(0, 1, 1, 1, 1, 1);
    first.rated = versions.v2 + versions.v3;
    const start = await scraped(requestsOf(first.pages, 1, 1, first.rated, 1), 3);
    versions.v1 = versions.v2 = versions.v3 = 0;
    await load(PAGES, DENIED, LOST, CONNECTIONS, PLAIN, 1);
    const rated = versions.v2 + versions.v3;
    end = await scraped(
      requestsOf(first.pages + PAGES, 1 + DENIED, 1 + LOST, first.rated + rated, 2),
      3 + 2 * CONNECTIONS + PLAIN,
    );
    // From one scrape to another, so that nothing is extrapolated.
    window = `${Math.round((end - start) * 1000) + 1}ms`;
  });
  after(async () => {
    await prometheus?.stop();
    await mesh?.stop();
  });

  const rated = (): number => versions.v2 + versions.v3;

  it("Kiali's graph: every edge with its count, code and flags, and no edge more", async () => {
    const [unknown, outside, inside] = await Promise.all(
      graphQuestions('istio_requests_total', 'default', window, REQUEST_FURTHER).map(asked),
    );
    // Without capture a server sees no address of the caller's pod, and reviews' versions share an account: Kiali passes over such.
    for (const { labels } of unknown ?? [])
      assert.deepEqual([labels['source_workload_namespace'], labels['destination_workload']], ['default', 'ratings-v1']);
    for (const { labels } of [...(outside ?? []), ...(inside ?? [])])
      for (const label of EDGE_LABELS) assert.ok(labels[label] !== undefined, `${label} of ${JSON.stringify(labels)}`);
    const all = [...(outside ?? []), ...(inside ?? [])];
    const total = PAGES + DENIED + PAGES * 2 + rated() + DENIED;
    assert.deepEqual(
      counted(
        all,
        total,
        (labels) =>
          `${labels['source_workload']} > ${labels['destination_workload']} ${labels['request_protocol']} ${labels['response_code']} ${labels['response_flags']}`,
      ),
      Object.fromEntries(
        [
          ['istio-ingressgateway > productpage-v1 http 200 -', PAGES],
          ['istio-ingressgateway > productpage-v1 http 403 -', DENIED],
          ['productpage-v1 > details-v1 http 200 -', PAGES],
          ['productpage-v1 > ratings-v1 http 403 -', DENIED],
          ['productpage-v1 > reviews-v1 http 200 -', versions.v1],
          ['productpage-v1 > reviews-v2 http 200 -', versions.v2],
          ['productpage-v1 > reviews-v3 http 200 -', versions.v3],
          ['reviews-v2 > ratings-v1 http 200 -', versions.v2],
          ['reviews-v3 > ratings-v1 http 200 -', versions.v3],
        ].sort(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1)),
      ),
    );
    const version = all.find(({ labels }) => labels['destination_workload'] === 'reviews-v3')?.labels;
    assert.deepEqual(
      [
        version?.['destination_service'],
        version?.['destination_service_name'],
        version?.['destination_canonical_service'],
        version?.['destination_canonical_revision'],
      ],
      ['reviews.default.svc.cluster.local', 'reviews', 'reviews', 'v3'],
    );
  });

  it("Kiali's graph of connections, and bytes", async () => {
    const answers = (
      await Promise.all(graphQuestions('istio_tcp_sent_bytes_total', 'steady', window, TCP_FURTHER).map(asked))
    ).flat();
    assert.deepEqual(
      answers.map(
        ({ labels }) => `${labels['source_workload']} > ${labels['destination_workload']} ${labels['destination_service_name']}`,
      ),
      ['istio-ingressgateway > server server'],
    );
    const sent = await number('sum(istio_tcp_sent_bytes_total{reporter="source",destination_workload="server"})');
    const received = await number('sum(istio_tcp_received_bytes_total{reporter="destination",destination_workload="server"})');
    assert.equal(sent, (CONNECTIONS + 1) * LINE.length);
    assert.equal(received, (CONNECTIONS + 1) * LINE.length);
    const closed =
      'istio_tcp_connections_closed_total{reporter="destination",destination_workload="server",connection_security_policy="mutual_tls"}';
    assert.equal(await number(`sum(${closed})`), CONNECTIONS + 1);
  });

  it("Kiali's padlocks: all that arrived was mutual TLS, between the identities of the accounts", async () => {
    const answers = await asked(securityQuestion('default', window));
    assert.ok(answers.length >= 7, JSON.stringify(answers));
    for (const { labels } of answers) {
      assert.equal(labels['connection_security_policy'], 'mutual_tls', JSON.stringify(labels));
      assert.match(labels['source_principal'] ?? '', /^spiffe:\/\/cluster\.local\/ns\//);
    }
    const one = answers.find(({ labels }) => labels['destination_workload'] === 'details-v1')?.labels;
    assert.deepEqual(
      [one?.['source_principal'], one?.['destination_principal']],
      ['spiffe://cluster.local/ns/default/sa/bookinfo-productpage', 'spiffe://cluster.local/ns/default/sa/bookinfo-details'],
    );
  });

  it("Kiali's response times and throughput", async () => {
    const [quantile, mean] = await Promise.all(responseTimeQuestions('default', window, 0.95).map(asked));
    const pairs = (answers: readonly Answer[] | undefined) =>
      (answers ?? []).map(({ labels }) => `${labels['source_workload']} > ${labels['destination_workload']}`).sort();
    assert.deepEqual(pairs(quantile), pairs(mean));
    assert.equal(pairs(mean).length, 7);
    for (const { value, labels } of mean ?? []) assert.ok(value > 0 && value < 20_000, JSON.stringify({ value, labels }));
    for (const direction of ['request', 'response'] as const)
      assert.equal((await asked(throughputQuestion('default', window, direction))).length, 7);
  });

  it("Kiali's health of a service, an app and a workload", async () => {
    const codes = async (matchers: string, total: number) =>
      counted(await asked(healthQuestion(matchers, window)), total, ({ response_code: code = '' }) => code);
    // Both ends tell, so that only proportions mean anything.
    assert.deepEqual(
      await codes('destination_service_name="ratings",destination_service_namespace="default"', rated() + DENIED),
      {
        200: rated(),
        403: DENIED,
      },
    );
    assert.deepEqual(await codes('destination_workload_namespace="default",destination_canonical_service="reviews"', PAGES), {
      200: PAGES,
    });
    assert.deepEqual(await codes('source_workload_namespace="default",source_workload="productpage-v1"', 2 * PAGES + DENIED), {
      200: 2 * PAGES,
      403: DENIED,
    });
  });

  it('the mesh dashboard of Istio: requests, success, errors, of all that proxies sent', async () => {
    const { requests, success, ...errors } = meshQuestions(window);
    const sent = PAGES * 3 + rated() + 2 * DENIED + LOST + GREETED;
    const seconds = Number.parseInt(window, 10) / 1000;
    const rate = await number(requests);
    assert.ok(Math.abs(rate - sent / seconds) < 0.02 * (sent / seconds), `${rate} of ${sent} in ${seconds} s`);
    assert.equal(await number(success), 1);
    assert.equal(await number(errors['5xx']), 0);
    const share = (await number(errors['4xx'])) / rate;
    assert.ok(Math.abs(share - (2 * DENIED + LOST) / sent) < 0.01, String(share));
  });

  it('gRPC by its own status, of both ends, in trailers or headers', async () => {
    for (const reporter of ['source', 'destination'])
      assert.deepEqual(
        counted(
          await asked(
            healthQuestion(`reporter="${reporter}",request_protocol="grpc",destination_service_name="greeter"`, window),
          ),
          GREETED,
          ({ grpc_response_status: status = '', response_code: code = '' }) => `${status} ${code}`,
        ),
        Object.fromEntries(Object.entries(GREETINGS).map(([status, count]) => [`${status} 200`, count])),
      );
  });

  it('what never arrived, what was denied, what came in plain text', async () => {
    const lost = 'istio_requests_total{reporter="source",source_workload="istio-ingressgateway",destination_workload="unknown"}';
    assert.equal(await number(`sum by (response_code, response_flags) (${lost})`), LOST + 1);
    assert.equal(await number(`sum(${lost.replace('}', ',response_code="404",response_flags="NR"}')})`), LOST + 1);
    const denied =
      'gatehouse_denied_calls_total{source_workload="productpage-v1",destination_workload="ratings-v1",verdict="denied-by-rule"}';
    assert.equal(await number(`sum by (policy) (${denied})`), DENIED + 1);
    assert.deepEqual((await asked(denied))[0]?.labels['policy'], 'default/not-from-the-page');
    const plainText =
      'istio_tcp_connections_opened_total{reporter="destination",destination_workload="details-v1",connection_security_policy="none"}';
    assert.equal(await number(`sum(${plainText})`), PLAIN + 1);
    assert.equal(await number('sum(gatehouse_denied_calls_total{verdict="denied-transport"})'), PLAIN + 1);
  });

  it('overrides of a Telemetry: metrics that are off, labels that are gone and new ones, for the end that they speak of', async () => {
    const of = (metric: string, reporter: string) =>
      `${metric}{reporter="${reporter}",destination_service_name="greeter",destination_workload="greeter"}`;
    const both = 2 * GREETED;
    const told = await asked(`sum by (request_method, destination_port, team) (${of('istio_requests_total', 'destination')})`);
    assert.deepEqual(
      told.map(({ labels, value }) => [labels['request_method'], labels['destination_port'], labels['team'], value]),
      [['POST', '8080', 'greeters', both]],
    );
    assert.deepEqual(
      (await asked(`sum by (team) (${of('istio_requests_total', 'source')})`)).map(({ labels, value }) => [
        labels['team'],
        value,
      ]),
      [[undefined, both]],
    );
    const ask = (query: string) => prometheus.ask(query, end);
    assert.deepEqual(await ask(of('istio_response_bytes_count', 'destination')), []);
    assert.equal(await number(`sum(${of('istio_response_bytes_count', 'source')})`), both);
    const [duration] = await asked(of('istio_request_duration_milliseconds_count', 'destination'));
    assert.deepEqual([duration?.labels['destination_version'], duration?.labels['team']], [undefined, undefined]);
    const [left] = await asked(of('istio_request_duration_milliseconds_count', 'source'));
    assert.ok(left?.labels['destination_version'] !== undefined);
  });

  it('a connection that is open counts as opened, once at each end, and as closed when it ends', async () => {
    const counts = async (): Promise<string> => {
      const values = [];
      for (const what of ['opened', 'closed'])
        for (const reporter of ['source', 'destination'])
          values.push(
            await prometheus.value(
              `sum(istio_tcp_connections_${what}_total{reporter="${reporter}",destination_workload="server"})`,
            ),
          );
      return values.join(' ');
    };
    const until = (wanted: readonly number[]) =>
      eventually(
        `connections ${wanted.join(' ')}`,
        async () => ((await counts()) === wanted.join(' ') ? true : undefined),
        30_000,
      );
    const before = CONNECTIONS + 1;
    await until([before, before, before, before]);
    const [host = '', port] = (mesh.ready.gatewayPorts['9400'] ?? '').split(':');
    const socket = connect({ host, port: Number(port) });
    socket.on('error', () => undefined);
    socket.write(LINE);
    await until([before + 1, before + 1, before, before]);
    socket.destroy();
    await until([before + 1, before + 1, before + 1, before + 1]);
  });

  for (const name of ['mesh', 'service', 'workload'] as const)
    it(`our dashboard ${name}: every expression has an answer, and the right one where it counts`, async () => {
      const values = { namespace: 'default', service: 'reviews', workload: 'ratings-v1', window };
      for (const { title, expr } of expressionsOf(name, values)) {
        const answers = await asked(expr);
        // No gRPC here, no dry runs, no requests in plain text; ratings calls nobody, and TCP is another workload's.
        const empty = /gRPC|Would be denied: by|Plain text|TCP|Requests out|Out:/.test(title);
        assert.ok(empty || answers.length > 0, `${title}: ${expr}`);
        for (const { value } of answers) assert.ok(Number.isFinite(value), `${title}: ${expr} is ${String(value)}`);
      }
      const panel = async (title: string): Promise<readonly Answer[]> => {
        const found = expressionsOf(name, values).find((one) => one.title === title);
        assert.ok(found, title);
        return asked(found.expr);
      };
      switch (name) {
        case 'mesh':
          assert.equal((await panel('Encrypted on arrival'))[0]?.value, 1);
          assert.equal((await panel('Answered without a 5xx'))[0]?.value, 1);
          return;
        case 'service':
          assert.equal((await panel('Callers'))[0]?.value, 1);
          assert.deepEqual(
            counted(await panel('Requests by version'), PAGES, ({ destination_version: version = '' }) => version),
            versions,
          );
          return;
        case 'workload':
          assert.deepEqual(
            counted(
              await panel('In: by caller and how it was secured'),
              rated() + DENIED,
              (labels) => `${labels['source_workload']} ${labels['connection_security_policy']}`,
            ),
            // The versions of reviews share an account, and nothing but it says who called where traffic is not captured.
            { 'productpage-v1 mutual_tls': DENIED, 'unknown mutual_tls': rated() },
          );
          return;
        default:
          name satisfies never;
      }
    });
});
