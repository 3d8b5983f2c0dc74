import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { eventually } from '../../eventually.ts';
import { call } from '../envoy/call.ts';
import { freePort } from '../envoy/upstream.ts';
import { OUTBOUND_CAPTURE_PORT } from '../../../routing/names.ts';
import { type CollectorServer, type Span, startCollector } from './collectors.ts';
import { CLIENT_APP, meshConfigOf, type Running, startTelemetryMesh, world } from './telemetry-mesh.ts';

const telemetry = (name: string, namespace: string, spec: string): string => `
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${spec}
`;

describe('tracing and access logs in the real Envoy', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  let envoy = '';
  let port = 0;
  let mesh: Running | undefined;
  const collectors: CollectorServer[] = [];

  before(async function () {
    envoy = envoyOrSkip(this);
    port = await freePort();
  });
  afterEach(async () => {
    await mesh?.close();
    mesh = undefined;
    await Promise.all(collectors.splice(0).map((one) => one.close()));
  });
  after(() => rmSync(folder, { recursive: true }));

  const collector = async (kind: Parameters<typeof startCollector>[0]): Promise<CollectorServer> => {
    const made = await startCollector(kind);
    collectors.push(made);
    return made;
  };
  const ask = (path: string, headers: Readonly<Record<string, string>> = {}) =>
    call(undefined, CLIENT_APP, OUTBOUND_CAPTURE_PORT, `server:${port}`, path, { headers });
  const spansOf = (spans: readonly Span[], service: string): readonly Span[] => spans.filter((one) => one.service === service);

  /** Both proxies' spans of one call: one trace, and the server's within the client's. */
  async function oneTrace({ spans }: CollectorServer): Promise<readonly [Span, Span]> {
    const client = await eventually('a span of the client', () => spansOf(spans, 'client.default')[0]);
    const server = await eventually('a span of the server', () => spansOf(spans, 'server.default')[0]);
    assert.equal(client.traceId, server.traceId);
    assert.equal(client.traceId.length, 32);
    assert.deepEqual([client.kind, client.parentId], ['client', undefined]);
    assert.deepEqual([server.kind, server.parentId], ['server', client.id]);
    return [client, server];
  }

  it('Zipkin: client and server have a span each in one trace, with the tags of Istio and those asked for', async () => {
    const zipkin = await collector('zipkin');
    const config = meshConfigOf(`
extensionProviders: [{name: zip, zipkin: {service: zipkin.test, port: ${zipkin.port}}}]
defaultProviders: {tracing: [zip]}`);
    const rules = telemetry(
      'mesh',
      'istio-system',
      '{tracing: [{randomSamplingPercentage: 100, customTags: {stage: {literal: {value: test}}, who: {header: {name: x-who, defaultValue: nobody}}}}]}',
    );
    mesh = await startTelemetryMesh(envoy, port, world(port, { zipkin: zipkin.port }) + rules, config);
    const { seen } = await ask('/traced', { 'x-who': 'me' });
    const [client, server] = await oneTrace(zipkin);
    assert.equal(zipkin.headers[0]?.['path'], '/api/v2/spans');
    for (const { tags } of [client, server]) {
      assert.equal(tags['guid:x-request-id'], seen['x-request-id']);
      assert.deepEqual([tags['stage'], tags['who'], tags['istio.namespace']], ['test', 'me', 'default']);
      assert.equal(tags['istio.mesh_id'], 'cluster.local');
    }
    assert.deepEqual(
      [client, server].map(({ tags }) => tags['istio.canonical_service']),
      ['client', 'server'],
    );
  });

  for (const [kind, transport, path] of [
    ['otel-http', 'http: {path: /v1/traces, timeout: 2s, headers: [{name: x-team, value: blue}]}', '/v1/traces'],
    [
      'otel-grpc',
      'grpc: {initialMetadata: [{name: x-team, value: blue}]}',
      '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    ],
  ] as const) {
    it(`OpenTelemetry, ${kind}: the same, to the path and with the headers of the provider`, async () => {
      const otel = await collector(kind);
      const config = meshConfigOf(`
extensionProviders: [{name: otel, opentelemetry: {service: observability/${kind}.test, port: ${otel.port}, ${transport}}}]
defaultProviders: {tracing: [otel]}
defaultConfig: {tracing: {sampling: 100}}`);
      mesh = await startTelemetryMesh(envoy, port, world(port, { [kind]: otel.port }), config);
      await ask('/traced');
      const [client] = await oneTrace(otel);
      assert.equal(client.tags['istio.canonical_service'], 'client');
      assert.deepEqual(otel.headers[0], { path, custom: 'blue' });
    });
  }

  it('sampling 0 of a namespace, below 100 of the mesh: a span only for the request that came with the decision to trace', async () => {
    const zipkin = await collector('zipkin');
    const config = meshConfigOf(`extensionProviders: [{name: zip, zipkin: {service: zipkin.test, port: ${zipkin.port}}}]`);
    const rules =
      telemetry('mesh', 'istio-system', '{tracing: [{randomSamplingPercentage: 100, providers: [{name: zip}]}]}') +
      telemetry('namespace', 'default', '{tracing: [{randomSamplingPercentage: 0}]}') +
      telemetry(
        'server',
        'default',
        '{selector: {matchLabels: {app: server}}, tracing: [{randomSamplingPercentage: 100, useRequestIdForTraceSampling: false}]}',
      );
    mesh = await startTelemetryMesh(envoy, port, world(port, { zipkin: zipkin.port }) + rules, config);
    for (let n = 0; n < 20; n++) await ask('/quiet', n === 19 ? { 'x-b3-sampled': '1' } : {});
    await eventually('the one that asks for it', () => (spansOf(zipkin.spans, 'server.default').length > 0 ? true : undefined));
    assert.equal(spansOf(zipkin.spans, 'server.default').length, 1);
  });

  it('a collector at an address, by enableTracing alone', async () => {
    const zipkin = await collector('zipkin');
    const config = meshConfigOf(`
enableTracing: true
defaultConfig: {tracing: {sampling: 100, zipkin: {address: "127.0.0.1:${zipkin.port}"}}}`);
    mesh = await startTelemetryMesh(envoy, port, world(port, {}), config);
    await ask('/traced');
    await oneTrace(zipkin);
  });

  it('access logs: by Telemetry of three levels, filtered, disabled, in text and JSON', async () => {
    const file = (name: string) => join(folder, name);
    const lines = (name: string): readonly string[] =>
      existsSync(file(name))
        ? readFileSync(file(name), 'utf8')
            .split('\n')
            .filter((line) => line !== '')
        : [];
    const config = meshConfigOf(`
accessLogFile: ${file('unused')}
extensionProviders:
- {name: all, envoyFileAccessLog: {path: ${file('all')}}}
- {name: short, envoyFileAccessLog: {path: ${file('short')}, logFormat: {text: "%RESPONSE_CODE% %REQ(:PATH)%"}}}
- {name: json, envoyFileAccessLog: {path: ${file('json')}, logFormat: {labels: {code: "%RESPONSE_CODE%", at: {path: "%REQ(:PATH)%"}}}}}
- {name: off, envoyFileAccessLog: {path: ${file('off')}}}`);
    const rules =
      telemetry('mesh', 'istio-system', '{accessLogging: [{providers: [{name: off}]}]}') +
      telemetry('namespace', 'default', '{accessLogging: [{providers: [{name: all}], match: {mode: CLIENT}}]}') +
      telemetry(
        'server',
        'default',
        `{selector: {matchLabels: {app: server}}, accessLogging: [
          {providers: [{name: short}], filter: {expression: "response.code >= 500"}},
          {providers: [{name: json}]}, {providers: [{name: all}], disabled: true}]}`,
      );
    mesh = await startTelemetryMesh(envoy, port, world(port, {}) + rules, config);
    assert.equal((await ask('/good')).status, 200);
    assert.equal((await ask('/bad', { 'x-answer': '500' })).status, 500);
    await eventually('the logs', () => (lines('all').length > 1 && lines('json').length > 1 ? true : undefined));
    await eventually('the filtered log', () => (lines('short').length > 0 ? true : undefined));
    assert.deepEqual(lines('short'), ['500 /bad']);
    assert.deepEqual(
      lines('json').map((line) => JSON.parse(line) as unknown),
      [
        { code: 200, at: { path: '/good' } },
        { code: 500, at: { path: '/bad' } },
      ],
    );
    assert.equal(lines('all').length, 2);
    assert.match(
      lines('all')[0] ?? '',
      new RegExp(
        `^\\[[-0-9T:.Z]+\\] "GET /good HTTP/1.1" 200 - via_upstream - "-" 0 \\d+ \\d+ \\d+ "-" "-" "[-0-9a-f]{36}" "server:${port}" "127.21.78.2:${port}" outbound\\|${port}\\|\\|server.default.svc.cluster.local `,
      ),
    );
    assert.deepEqual([lines('off'), lines('unused')], [[], []]);
  });

  it('accessLogFile writes for both sides, JSON with the fields of Istio', async () => {
    const path = join(folder, 'mesh.json');
    mesh = await startTelemetryMesh(
      envoy,
      port,
      world(port, {}),
      meshConfigOf(`{accessLogFile: ${path}, accessLogEncoding: JSON}`),
    );
    await ask('/logged');
    const read = () => (existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []);
    await eventually('two lines', () => (read().length > 1 ? true : undefined));
    for (const line of read()) {
      const { path: logged, response_code: code, method } = JSON.parse(line) as Readonly<Record<string, unknown>>;
      assert.deepEqual([logged, code, method], ['/logged', 200, 'GET']);
    }
  });
});
