import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { admit } from '../../mesh/admit/admit.ts';
import { Field } from '../../mesh/admit/field.ts';
import { DEFAULT_MESH_CONFIG, readMeshConfig } from '../../mesh/admit/mesh-config.ts';
import { nodeOf } from '../../mesh/admit/node.ts';
import { Report } from '../../mesh/admit/report.ts';
import { buildSnapshot } from '../../mesh/admit/snapshot.ts';
import { wrongFormat } from '../../mesh/admit/telemetry/log-format.ts';
import { documentsOf } from '../../mesh/source/load.ts';
import { compiledFor, snapshotOf } from '../routing/compiled.ts';

function read(yaml: string) {
  const report = new Report('mesh.yaml', 'MeshConfig');
  const config = readMeshConfig(new Field(nodeOf(parse(yaml), 1), '', 1, report));
  return { config, said: report.diagnostics.map(({ severity, code }) => `${severity} ${code}`) };
}

/** A Telemetry of these `metrics`, and the codes of what is said of it. */
function metricsOf(metrics: string) {
  const yaml = `
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: metrics}
spec:
  metrics:${metrics.replaceAll('\n', '\n  ')}
`;
  const { admitted, diagnostics } = admit(documentsOf('in.yaml', yaml).documents, {
    meshConfig: DEFAULT_MESH_CONFIG,
    defaultNamespace: 'default',
  });
  const { snapshot } = buildSnapshot(admitted, DEFAULT_MESH_CONFIG, 1, undefined, { assumePods: true });
  return { snapshot, said: diagnostics.map(({ code }) => code) };
}

const WORLD = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec: {template: {metadata: {labels: {app: app}}, spec: {containers: [{name: app, ports: [{containerPort: 80}]}]}}}
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: logs}
spec: {accessLogging: [{providers: [{name: envoy}]}]}
`;

describe('telemetry as it is admitted', () => {
  it('a provider that is wrong is left out, and the rest holds', () => {
    const { config, said } = read(`
rootNamespace: mesh-root
extensionProviders:
- {name: bad, envoyFileAccessLog: {logFormat: {text: "%NOTHING%"}}}
- {name: good, envoyFileAccessLog: {path: /tmp/log}}`);
    assert.deepEqual(said, ['warning bad-format']);
    assert.equal(config.rootNamespace, 'mesh-root');
    const [bad, good] = config.extensionProviders ?? [];
    assert.deepEqual(
      [bad?.kind === 'other' && bad.telemetry, good?.kind === 'other' && good.telemetry?.kind],
      [undefined, 'file-log'],
    );
  });

  it('kinds that have no effect are known, and a Service that is none is an error', () => {
    assert.deepEqual(read('extensionProviders: [{name: sky, skywalking: {service: a.b, port: 1}}]').said, [
      'warning not-yet-applied',
    ]);
    assert.deepEqual(read('extensionProviders: [{name: z, zipkin: {service: "*.b", port: 1}}]').said, ['error bad-service']);
    assert.deepEqual(read('{enableTracing: true, defaultConfig: {tracing: {sampling: 101}}}').said, ['error out-of-range']);
  });

  it('overrides of metrics: what records cannot tell is said, and the tag stays as it is', () => {
    const { snapshot, said } = metricsOf(`
- reportingInterval: 5s
  overrides:
  - match: {customMetric: requests_total, mode: SERVER}
    tagOverrides:
      request_host: {value: request.host}
      both: {value: "request.method + 'x'"}
      le: {value: "'1'"}
      "a-b": {value: "'1'"}
      port: {value: string(destination.port)}
      version: {value: '"v1"'}
  - match: {metric: TCP_SENT_BYTES}
    tagOverrides: {port: {value: destination.port}, gone: {operation: REMOVE}}
  - match: {customMetric: mine}
    disabled: true`);
    assert.deepEqual(said, ['not-yet-applied', ...Array<string>(6).fill('not-supported')]);
    assert.deepEqual(snapshot.telemetries[0]?.metrics, [
      {
        providers: [],
        overrides: [
          {
            mode: 'SERVER',
            metrics: ['REQUEST_COUNT'],
            disabled: undefined,
            tags: { port: { kind: 'attribute', attribute: 'destination.port' }, version: { kind: 'literal', value: 'v1' } },
          },
          {
            mode: 'CLIENT_AND_SERVER',
            metrics: ['TCP_SENT_BYTES'],
            disabled: undefined,
            tags: { port: { kind: 'attribute', attribute: 'destination.port' }, gone: { kind: 'remove' } },
          },
          { mode: 'CLIENT_AND_SERVER', metrics: [], disabled: true, tags: {} },
        ],
      },
    ]);
  });

  for (const format of [
    '%RESPONSE_CODE% 100%% %REQ(:METHOD):5%',
    '%START_TIME(%Y-%m-%dT%H:%M:%S)%',
    '%PROTOCOL%%REQ(A?B)%',
    'plain',
  ])
    it(`takes ${format}`, () => assert.equal(wrongFormat(format), undefined));
  for (const format of ['100%', '%NOTHING%', '%REQ%', '%REQ()%', '%response_code%'])
    it(`refuses ${format}`, () => assert.match(wrongFormat(format) ?? '', /cannot print/));

  it('compiles to the same message as long as nothing that counts changes', () => {
    const snapshot = snapshotOf(WORLD);
    const [one, two] = [compiledFor(snapshot, 'default/app'), compiledFor(snapshotOf(WORLD, {}, 2), 'default/app')];
    assert.ok(one.listeners.length > 0);
    assert.deepEqual(one.listeners, two.listeners);
    const outbound = one.listeners.findIndex(({ name }) => name === 'virtualOutbound');
    assert.ok(outbound >= 0);
    assert.equal(compiledFor(snapshot, 'default/app').listeners[outbound], one.listeners[outbound]);
  });
});
