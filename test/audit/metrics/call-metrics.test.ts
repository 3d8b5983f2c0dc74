import assert from 'node:assert/strict';
import { CallMetrics, OVERFLOW } from '../../../audit/metrics/call-metrics.ts';
import { BOUNDS } from '../../../audit/metrics/buckets.ts';
import { EVERYTHING, type MetricSettings, metricSettings } from '../../../audit/metrics/settings.ts';
import { type Names, serviceNames, type WorkloadNames, workloadNames } from '../../../audit/metrics/names.ts';
import type { AccessRecord } from '../../../audit/model/record.ts';
import { parseSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { parseHostname } from '../../../mesh/model/hostname.ts';
import { snapshotOf } from '../../routing/compiled.ts';
import { record } from '../edges.ts';
import { APP, EDGE, NOW, WEB } from '../world.ts';
import { samplesOf, type Sample } from './samples.ts';

const host = parseHostname('app.shop.svc.cluster.local');
assert.ok(host);
const SERVICE = serviceNames({
  hostname: host,
  external: false,
  meta: { name: 'app', namespace: 'shop' },
});
const MESHED = [{ meshed: true }];
const workloads = (): Map<string, WorkloadNames> =>
  new Map([
    ['shop/app', workloadNames({ name: 'app', namespace: 'shop', labels: { app: 'app', version: 'v1' }, instances: MESHED })],
    [
      'shop/web',
      workloadNames({
        name: 'web',
        namespace: 'shop',
        labels: { 'app.kubernetes.io/name': 'front', app: 'web' },
        instances: MESHED,
      }),
    ],
    ['old/legacy', workloadNames({ name: 'legacy', namespace: 'old', labels: {}, instances: [{ meshed: false }] })],
    ['edge/gateway', workloadNames({ name: 'gateway', namespace: 'edge', labels: {}, instances: MESHED })],
  ]);

/** Metrics of a mesh of web, app and a gateway, at a time that the test sets. */
function metered(options: { readonly limit?: number; readonly staleMs?: number; readonly settings?: () => MetricSettings } = {}) {
  const known = workloads();
  let now = NOW.getTime();
  const names: Names = {
    workload: (name) => known.get(name),
    service: (name) => (name === SERVICE.host ? SERVICE : undefined),
  };
  const metrics = new CallMetrics({ names, clock: () => new Date(now), ...options });
  return {
    metrics,
    known,
    count: (...changes: readonly Partial<AccessRecord>[]) => metrics.observe(changes.map(record)),
    pass: (ms: number) => void (now += ms),
    samples: (name: string) => samplesOf([...metrics.exposition()].join('')).filter((sample) => sample.name === name),
  };
}

const only = (samples: readonly Sample[]): Sample => {
  const [first, ...others] = samples;
  assert.ok(first !== undefined && others.length === 0, JSON.stringify(samples));
  return first;
};

const OUT: Partial<AccessRecord> = {
  side: 'outbound',
  hop: 'out',
  source: { principal: WEB, workload: 'shop/web', address: undefined },
  destination: { principal: undefined, workload: 'shop/app', address: '10.0.0.1' },
  mtls: false,
};

/** Settings by the `metrics` of a Telemetry for the mesh. */
function ruled(metrics: string): MetricSettings {
  const { telemetries, meshConfig } = snapshotOf(`
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: mesh, namespace: istio-system}
spec: {metrics: ${metrics}}`);
  assert.equal(telemetries.length, 1);
  return metricSettings(telemetries, meshConfig);
}

describe("Istio's metrics of calls", () => {
  it('a call that arrived, with all labels', () => {
    const { count, samples } = metered();
    count({}, {});
    assert.deepEqual(only(samples('istio_requests_total')), {
      name: 'istio_requests_total',
      value: 2,
      labels: {
        reporter: 'destination',
        source_workload: 'web',
        source_workload_namespace: 'shop',
        source_principal: WEB,
        source_app: 'web',
        source_version: 'unknown',
        source_canonical_service: 'front',
        source_canonical_revision: 'latest',
        source_cluster: 'Kubernetes',
        destination_workload: 'app',
        destination_workload_namespace: 'shop',
        destination_principal: APP,
        destination_app: 'app',
        destination_version: 'v1',
        destination_service: 'app.shop.svc.cluster.local',
        destination_service_name: 'app',
        destination_service_namespace: 'shop',
        destination_canonical_service: 'app',
        destination_canonical_revision: 'v1',
        destination_cluster: 'Kubernetes',
        request_protocol: 'http',
        response_code: '200',
        grpc_response_status: '',
        response_flags: '-',
        connection_security_policy: 'mutual_tls',
      },
    });
  });

  it("the caller's proxy tells of it as the source, and cannot say how it was secured", () => {
    const { count, samples } = metered();
    count({}, OUT);
    const [arrived, left] = samples('istio_requests_total');
    assert.equal(arrived?.labels['reporter'], 'destination');
    assert.equal(left?.labels['reporter'], 'source');
    assert.equal(left.labels['connection_security_policy'], 'unknown');
    assert.equal(left.labels['destination_principal'], 'unknown');
    assert.equal(left.labels['destination_workload'], 'app');
  });

  it('plain text, an unknown caller, a failure', () => {
    const { count, samples } = metered();
    count({
      mtls: false,
      source: { principal: undefined, workload: undefined, address: '10.9.9.9' },
      status: 503,
      flags: ['UF', 'URX'],
    });
    const { labels } = only(samples('istio_requests_total'));
    assert.equal(labels['source_workload'], 'unknown');
    assert.equal(labels['source_workload_namespace'], 'unknown');
    assert.equal(labels['source_principal'], 'unknown');
    assert.equal(labels['connection_security_policy'], 'none');
    assert.equal(labels['response_code'], '503');
    assert.equal(labels['response_flags'], 'UF,URX');
  });

  it('a caller without a proxy and an identity is unknown, whatever its address says; not so one with a proxy', () => {
    const { count, samples } = metered();
    const from = (workload: string) => ({ mtls: false, source: { principal: undefined, workload, address: '10.0.0.9' } });
    count(from('old/legacy'), from('shop/web'));
    assert.deepEqual(
      samples('istio_requests_total').map(({ labels }) => labels['source_workload']),
      ['unknown', 'web'],
    );
  });

  it('an identity that several workloads share still says its namespace', () => {
    const { count, samples } = metered();
    count({ source: { principal: WEB, workload: undefined, address: undefined } });
    const { labels } = only(samples('istio_requests_total'));
    assert.equal(labels['source_workload'], 'unknown');
    assert.equal(labels['source_workload_namespace'], 'shop');
  });

  it('a gateway tells of what it sends on, and of what it does not, once each', () => {
    const { count, samples } = metered();
    const into = {
      side: 'gateway',
      hop: 'in',
      source: { principal: undefined, workload: undefined, address: '192.0.2.1' },
      destination: { principal: EDGE, workload: 'edge/gateway', address: undefined },
      service: undefined,
    } as const;
    const out = {
      ...OUT,
      side: 'gateway',
      source: { principal: EDGE, workload: 'edge/gateway', address: undefined },
    } as const;
    count({ ...into, onward: true }, out, { ...into, status: 404, flags: ['NR'] });
    const [sent, refused, ...others] = samples('istio_requests_total');
    assert.deepEqual(others, []);
    assert.deepEqual([sent?.labels['source_workload'], sent?.labels['destination_workload']], ['gateway', 'app']);
    assert.deepEqual([refused?.labels['source_workload'], refused?.labels['destination_workload']], ['gateway', 'unknown']);
    assert.deepEqual([refused?.labels['reporter'], refused?.labels['response_code']], ['source', '404']);
  });

  it('hosts that callers choose make no series of their own', () => {
    const { count, samples } = metered();
    const away = {
      ...OUT,
      destination: { principal: undefined, workload: undefined, address: '192.0.2.7' },
      destinationMeshed: false,
    };
    for (let index = 0; index < 50; index++) count({ ...away, service: `host-${index}.example.com` });
    const { labels, value } = only(samples('istio_requests_total'));
    assert.equal(value, 50);
    assert.equal(labels['destination_service'], 'unknown');
    assert.equal(labels['destination_service_name'], 'PassthroughCluster');
    count({ ...away, service: 'no.example.com', reached: false, status: 502 });
    assert.equal(samples('istio_requests_total')[1]?.labels['destination_service_name'], 'BlackHoleCluster');
  });

  it('gRPC has its own status', () => {
    const { count, samples } = metered();
    count({ protocol: 'GRPC', grpcStatus: 7 });
    const { labels } = only(samples('istio_requests_total'));
    assert.equal(labels['request_protocol'], 'grpc');
    assert.equal(labels['grpc_response_status'], '7');
  });

  it('connections count apart from requests, without codes', () => {
    const { count, samples } = metered();
    count({ protocol: 'TCP', status: 0, bytesReceived: 10, bytesSent: 2000 });
    assert.deepEqual(samples('istio_requests_total'), []);
    for (const [name, value] of [
      ['istio_tcp_connections_opened_total', 1],
      ['istio_tcp_connections_closed_total', 1],
      ['istio_tcp_sent_bytes_total', 2000],
      ['istio_tcp_received_bytes_total', 10],
    ] as const) {
      const sample = only(samples(name));
      assert.equal(sample.value, value, name);
      assert.equal(sample.labels['request_protocol'], 'tcp');
      assert.equal(sample.labels['response_code'], undefined);
    }
  });

  it("histograms have Istio's buckets, cumulative", () => {
    const { count, samples } = metered();
    for (const ms of [0.4, 0.5, 0.6, 7, 4_000_000]) count({ durationUs: ms * 1000, bytesReceived: 100, bytesSent: 3_000 });
    const buckets = samples('istio_request_duration_milliseconds_bucket');
    assert.deepEqual(
      buckets.map(({ labels }) => labels['le']),
      [...BOUNDS.map(String), '+Inf'],
    );
    assert.deepEqual(
      buckets.map(({ value }) => value),
      [2, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5],
    );
    assert.equal(only(samples('istio_request_duration_milliseconds_count')).value, 5);
    assert.equal(Math.round(only(samples('istio_request_duration_milliseconds_sum')).value), 4_000_009);
    assert.equal(only(samples('istio_request_bytes_sum')).value, 500);
    assert.equal(only(samples('istio_response_bytes_sum')).value, 15_000);
  });

  it('labels that configuration changes begin a series; the old one stays', () => {
    const { count, known, samples } = metered();
    count({});
    known.set(
      'shop/app',
      workloadNames({ name: 'app', namespace: 'shop', labels: { app: 'app', version: 'v2' }, instances: MESHED }),
    );
    count({}, {});
    assert.deepEqual(
      samples('istio_requests_total').map(({ labels, value }) => [labels['destination_version'], value]),
      [
        ['v1', 1],
        ['v2', 2],
      ],
    );
    // An equal object made anew is no other series.
    known.set(
      'shop/app',
      workloadNames({ name: 'app', namespace: 'shop', labels: { app: 'app', version: 'v2' }, instances: MESHED }),
    );
    count({});
    assert.equal(samples('istio_requests_total')[1]?.value, 3);
  });

  it('beyond the limit all is counted, without labels, and told', () => {
    const { count, metrics, samples } = metered({ limit: 3 });
    for (let status = 200; status < 220; status++) count({ status }, { status });
    const values = samples('istio_requests_total');
    assert.equal(values.length, 4);
    assert.equal(
      values.reduce((sum, { value }) => sum + value, 0),
      40,
    );
    const rest = values.find(({ labels }) => labels['source_workload'] === OVERFLOW);
    assert.equal(rest?.value, 34);
    assert.equal(rest.labels['reporter'], 'destination');
    assert.equal(metrics.stats.overflowed, 34);
    assert.equal(metrics.stats.series, 4);
  });

  it('far beyond the limit as well', () => {
    const { count, metrics, samples } = metered({ limit: 2 });
    for (let status = 200; status < 300; status++) count({ status }, { ...OUT, status });
    const values = samples('istio_requests_total');
    assert.equal(
      values.reduce((sum, { value }) => sum + value, 0),
      200,
    );
    assert.deepEqual(
      values
        .filter(({ labels }) => labels['source_workload'] === OVERFLOW)
        .map(({ labels, value }) => [labels['reporter'], value]),
      [
        ['destination', 99],
        ['source', 99],
      ],
    );
    assert.equal(metrics.stats.overflowed, 198);
  });

  it('with no room at all there are sums', () => {
    const { count, samples } = metered({ limit: 0 });
    count({}, { status: 500 }, OUT, { protocol: 'TCP' }, { verdict: { kind: 'denied-no-rule', policies: [] } });
    assert.deepEqual(
      samples('istio_requests_total').map(({ labels, value }) => [labels['reporter'], labels['destination_workload'], value]),
      [
        ['destination', OVERFLOW, 3],
        ['source', OVERFLOW, 1],
      ],
    );
    assert.equal(only(samples('istio_tcp_connections_closed_total')).value, 1);
    assert.equal(only(samples('gatehouse_denied_calls_total')).labels['source_workload'], OVERFLOW);
  });

  it('what does not happen any more is forgotten, and makes room', () => {
    const { count, metrics, pass, samples } = metered({ limit: 3, staleMs: 60_000 });
    const seen = () => samples('istio_requests_total').map(({ labels, value }) => [labels['response_code'], value]);
    count({ status: 200 }, { status: 201 }, { status: 202 }, { status: 203 });
    pass(50_000);
    count({ status: 200 }, { status: 203 });
    pass(20_000);
    assert.deepEqual(seen(), [
      ['200', 2],
      [OVERFLOW, 2],
    ]);
    assert.equal(metrics.stats.forgotten, 2);
    // What overflowed before has a place now.
    count({ status: 203 });
    assert.deepEqual(seen(), [
      ['200', 2],
      [OVERFLOW, 2],
      ['203', 1],
    ]);
    pass(70_000);
    assert.deepEqual(seen(), []);
  });

  it('a label cannot break out of its quotes', () => {
    const { count, known, samples } = metered();
    known.set('shop/app', workloadNames({ name: 'a"} 1\n\\', namespace: 'shop', labels: {}, instances: MESHED }));
    count({});
    assert.equal(only(samples('istio_requests_total')).labels['destination_workload'], 'a"} 1\n\\');
  });

  it('denials, and what dry runs would deny, by policy', () => {
    const { count, samples } = metered();
    const by = { policy: 'shop/no-web', rule: 0 };
    count(
      { status: 403, verdict: { kind: 'denied-by-rule', by } },
      { status: 403, verdict: { kind: 'denied-no-rule', policies: ['shop/a', 'shop/b'] } },
      {
        marks: [
          { kind: 'would-deny', by },
          { kind: 'audited', by },
        ],
      },
      { ...OUT, status: 403 },
    );
    const seen = (name: string) =>
      samples(name).map(({ labels, value }) => [labels['source_workload'], labels['verdict'], labels['policy'], value]);
    assert.deepEqual(seen('gatehouse_denied_calls_total'), [
      ['web', 'denied-by-rule', 'shop/no-web', 1],
      ['web', 'denied-no-rule', '', 1],
    ]);
    assert.deepEqual(seen('gatehouse_would_be_denied_calls_total'), [['web', 'would-deny', 'shop/no-web', 1]]);
  });

  it('a Telemetry removes labels and adds some, for some metrics; sums stay right', () => {
    const settings = ruled(
      '[{overrides: [{tagOverrides: {source_app: {operation: REMOVE}}}, {match: {metric: REQUEST_COUNT}, tagOverrides: {source_app: {value: "\'x\'"}, method: {value: request.method}, source_principal: {operation: REMOVE}}}]}]',
    );
    const { count, samples } = metered({ settings: () => settings });
    const other = 'spiffe://cluster.local/ns/shop/sa/other';
    const id = parseSpiffeId(other);
    assert.ok(id.ok);
    count(
      { method: 'GET' },
      { method: 'POST' },
      { method: 'GET', source: { principal: id.value, workload: 'shop/web', address: undefined } },
    );
    const requests = samples('istio_requests_total');
    assert.deepEqual(
      requests.map(({ labels, value }) => [labels['method'], labels['source_app'], labels['source_principal'], value]),
      [
        ['GET', 'x', undefined, 2],
        ['POST', 'x', undefined, 1],
      ],
    );
    assert.deepEqual(
      samples('istio_request_bytes_count').map(({ labels, value }) => [
        labels['method'],
        labels['source_app'],
        labels['source_principal'],
        value,
      ]),
      [
        [undefined, undefined, WEB, 2],
        [undefined, undefined, other, 1],
      ],
    );
  });

  it('what is switched off goes, what stays on goes on; another workload that has the same labels keeps its own', () => {
    let settings = EVERYTHING;
    const { count, samples } = metered({ settings: () => settings });
    count({}, OUT, { protocol: 'TCP' });
    settings = ruled(
      '[{overrides: [{match: {metric: REQUEST_SIZE, mode: SERVER}, disabled: true}, {match: {metric: TCP_SENT_BYTES}, disabled: true}]}]',
    );
    count({}, OUT, { protocol: 'TCP' });
    assert.deepEqual(
      samples('istio_request_bytes_count').map(({ labels, value }) => [labels['reporter'], value]),
      [['source', 2]],
    );
    assert.deepEqual(
      samples('istio_requests_total').map(({ value }) => value),
      [2, 2],
    );
    assert.deepEqual(samples('istio_tcp_sent_bytes_total'), []);
    assert.equal(only(samples('istio_tcp_received_bytes_total')).labels['reporter'], 'destination');
    settings = ruled('[{overrides: [{disabled: true}]}]');
    count({}, OUT, { verdict: { kind: 'denied-no-rule', policies: [] } });
    assert.deepEqual(samples('istio_requests_total'), []);
    assert.equal(only(samples('gatehouse_denied_calls_total')).value, 1);
    settings = EVERYTHING;
    count({});
    assert.equal(only(samples('istio_requests_total')).value, 1);
  });

  it('beyond the limit labels are as without a Telemetry, and no sample is there twice', () => {
    const settings = ruled(
      '[{overrides: [{match: {metric: REQUEST_COUNT}, tagOverrides: {response_flags: {operation: REMOVE}}}]}]',
    );
    const { count, metrics, samples } = metered({ limit: 2, settings: () => settings });
    for (let status = 200; status < 220; status++) count({ status }, { status });
    const seen = samples('istio_requests_total');
    assert.equal(
      seen.reduce((sum, { value }) => sum + value, 0),
      40,
    );
    assert.equal(metrics.stats.overflowed, 38);
    const lines = [...metrics.exposition()]
      .join('')
      .split('\n')
      .filter((line) => line.startsWith('istio'));
    const names = lines.map((line) => line.slice(0, line.lastIndexOf(' ')));
    assert.equal(new Set(names).size, names.length);
  });

  it('a connection counts as opened once: when it begins, or when it ends and nothing told of its beginning', () => {
    const { count, metrics, samples } = metered();
    const values = () =>
      ['opened', 'closed'].map((what) =>
        samples(`istio_tcp_connections_${what}_total`).reduce((sum, { value }) => sum + value, 0),
      );
    const connection = { protocol: 'TCP', status: 0 } as const;
    metrics.announced([record(connection)]);
    assert.deepEqual(values(), [1, 0]);
    count({ ...connection, announced: true });
    assert.deepEqual(values(), [1, 1]);
    count(connection);
    assert.deepEqual(values(), [2, 2]);
  });
});
