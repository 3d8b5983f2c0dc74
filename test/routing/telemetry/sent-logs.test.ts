import assert from 'node:assert/strict';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { eventually } from '../../eventually.ts';
import { OUTBOUND_CAPTURE_PORT } from '../../../routing/names.ts';
import { call } from '../envoy/call.ts';
import { type GatewayMesh, startGatewayMesh } from '../envoy/gateway-mesh.ts';
import { freePort } from '../envoy/upstream.ts';
import { type CollectorServer, type Span, startCollector } from './collectors.ts';
import { type LogReceiver, startLogReceiver } from './log-receiver.ts';
import { CLIENT_APP, meshConfigOf, type Running, startTelemetryMesh, world } from './telemetry-mesh.ts';

const entry = (name: string, port: number, protocol: string): string => `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: observability}
spec:
  hosts: [${name}.test]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: ${port}, name: ${protocol.toLowerCase()}, protocol: ${protocol}}]
  endpoints: [{address: 127.0.0.1}]
`;

describe('access logs sent to Services, and tracing at gateways, in the real Envoy', () => {
  let envoy = '';
  let port = 0;
  let mesh: Running | undefined;
  let gateway: GatewayMesh | undefined;
  let receiver: LogReceiver | undefined;
  let collector: CollectorServer | undefined;

  before(async function () {
    envoy = envoyOrSkip(this);
    port = await freePort();
  });
  afterEach(async () => {
    await mesh?.close();
    await gateway?.close();
    await receiver?.close();
    await collector?.close();
    [mesh, gateway, receiver, collector] = [undefined, undefined, undefined, undefined];
  });

  it('envoyHttpAls and envoyOtelAls: records of requests, with what was asked for beside', async () => {
    receiver = await startLogReceiver();
    const { port: at, received } = receiver;
    const config = meshConfigOf(`
extensionProviders:
- {name: als, envoyHttpAls: {service: logs.test, port: ${at}, logName: my-log, additionalRequestHeadersToLog: [x-who], additionalResponseHeadersToLog: [x-served]}}
- {name: tcp, envoyTcpAls: {service: logs.test, port: ${at}, logName: only-connections}}
- {name: otel, envoyOtelAls: {service: logs.test, port: ${at}, logName: otel-log, logFormat: {text: "asked for %REQ(:PATH)%", labels: {code: "code-%RESPONSE_CODE%"}}}}
- {name: nowhere, envoyOtelAls: {service: nobody.test, port: 1}}
defaultProviders: {accessLogging: [als, tcp, otel, nowhere]}`);
    mesh = await startTelemetryMesh(envoy, port, world(port, {}) + entry('logs', at, 'GRPC'), config);
    const { status } = await call(undefined, CLIENT_APP, OUTBOUND_CAPTURE_PORT, `server:${port}`, '/logged', {
      headers: { 'x-who': 'somebody' },
    });
    assert.equal(status, 200);
    const textOf = (method: string) =>
      received
        .filter((one) => one.method === method)
        .map(({ text }) => text)
        .join('');
    const als = () => textOf('/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs');
    await eventually('the record of the request', () => (als().includes('/logged') ? true : undefined));
    assert.match(als(), /my-log/);
    assert.match(als(), /x-who[^]{0,4}somebody/);
    assert.ok(!als().includes('only-connections'), 'a request is no connection of its own');
    const otel = () => textOf('/opentelemetry.proto.collector.logs.v1.LogsService/Export');
    await eventually('the record by OpenTelemetry', () => (otel().includes('asked for /logged') ? true : undefined));
    assert.match(otel(), /code[^]{0,8}code-200/);
    assert.match(otel(), /otel-log/);
  });

  it('envoyTcpAls: records of connections', async () => {
    receiver = await startLogReceiver();
    const { port: at, received } = receiver;
    const config = meshConfigOf(`
extensionProviders: [{name: tcp, envoyTcpAls: {service: logs.test, port: ${at}, logName: connections}}]
defaultProviders: {accessLogging: [tcp]}`);
    const yaml = (world(port, {}) + entry('logs', at, 'GRPC')).replace('ports: [{name: http,', 'ports: [{name: tcp,');
    mesh = await startTelemetryMesh(envoy, port, yaml, config);
    await call(undefined, CLIENT_APP, port, `server:${port}`, '/bytes');
    await eventually('the record of the connection', () =>
      received.some(({ text }) => text.includes('connections')) ? true : undefined,
    );
  });

  const TRACED =
    'tracing: [{randomSamplingPercentage: 100, providers: [{name: spans}], customTags: {edge: {environment: {name: NOT_SET, defaultValue: unset}}, who: {header: {name: x-who}}, fixed: {literal: {value: here}}}}]';
  const telemetry = (spec: string): string => `
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: mesh, namespace: istio-system}
spec: {${spec}}
`;
  const ROUTES = `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app, namespace: default}
spec: {hosts: [app.test], gateways: [gateway], http: [{route: [{destination: {host: app}}]}]}
`;
  const spanOf = ({ spans }: CollectorServer): Promise<Span> => eventually('a span of the gateway', () => spans[0]);

  for (const [kind, provider, protocol] of [
    [
      'zipkin',
      (at: number) =>
        `zipkin: {service: spans.test, port: ${at}, path: /spans, timeout: 3s, headers: [{name: x-team, value: blue}], traceContextOption: USE_B3_WITH_W3C_PROPAGATION}`,
      'HTTP',
    ],
    [
      'otel-http',
      (at: number) =>
        `opentelemetry: {service: spans.test, port: ${at}, http: {path: /v1/traces, headers: [{name: x-team, value: blue}]}}`,
      'HTTP',
    ],
    [
      'otel-grpc',
      (at: number) => `opentelemetry: {service: spans.test, port: ${at}, grpc: {initialMetadata: [{name: x-team, value: blue}]}}`,
      'GRPC',
    ],
  ] as const) {
    it(`a gateway's spans, ${kind}: of the client's trace, with tags; the application is told of the trace`, async () => {
      collector = await startCollector(kind);
      const config = meshConfigOf(`extensionProviders: [{name: spans, ${provider(collector.port)}}]`);
      gateway = await startGatewayMesh(envoy, ROUTES + entry('spans', collector.port, protocol) + telemetry(TRACED), config);
      const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
      const { seen } = await gateway.get('app.test', '/traced', {
        headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01`, 'x-who': 'me' },
      });
      const span = await spanOf(collector);
      assert.equal(span.traceId, trace);
      assert.deepEqual([span.tags['fixed'], span.tags['who'], span.tags['edge']], ['here', 'me', 'unset']);
      assert.equal(span.tags['istio.canonical_service'], 'ingress');
      assert.ok(String(seen['traceparent']).startsWith(`00-${trace}-`), String(seen['traceparent']));
      assert.equal(seen['x-b3-traceid'], kind === 'zipkin' ? trace : undefined);
      assert.equal(collector.headers[0]?.['custom'], 'blue');
    });
  }

  it('disableSpanReporting, and rules for what a workload is sent, leave a gateway without spans', async () => {
    collector = await startCollector('zipkin');
    const config = meshConfigOf(`extensionProviders: [{name: spans, zipkin: {service: spans.test, port: ${collector.port}}}]`);
    for (const spec of [
      'tracing: [{randomSamplingPercentage: 100, providers: [{name: spans}], disableSpanReporting: true}]',
      'tracing: [{randomSamplingPercentage: 100, providers: [{name: spans}], match: {mode: SERVER}}]',
    ]) {
      gateway = await startGatewayMesh(envoy, ROUTES + entry('spans', collector.port, 'HTTP') + telemetry(spec), config);
      const { seen } = await gateway.get('app.test', '/quiet');
      assert.equal(seen['x-b3-traceid'], undefined);
      await gateway.close();
      gateway = undefined;
    }
    // The same gateway under a rule for clients does trace: nothing else kept it from it.
    const said = telemetry('tracing: [{randomSamplingPercentage: 100, providers: [{name: spans}], match: {mode: CLIENT}}]');
    gateway = await startGatewayMesh(envoy, ROUTES + entry('spans', collector.port, 'HTTP') + said, config);
    await gateway.get('app.test', '/loud');
    await spanOf(collector);
    assert.equal(collector.spans.length, 1);
  });
});
