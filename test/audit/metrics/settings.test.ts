import assert from 'node:assert/strict';
import { type MetricSettings } from '../../../audit/metrics/settings.ts';
import { snapshotMetricSettings } from '../../../cli/serve/metric-settings.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { STANDARD_METRICS } from '../../../mesh/model/telemetry.ts';
import { snapshotOf } from '../../routing/compiled.ts';
import { meshConfigOf } from '../../routing/telemetry/telemetry-mesh.ts';

const WORLD = ['app', 'web']
  .map(
    (name) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: shop}
spec: {template: {metadata: {labels: {app: ${name}}}, spec: {containers: [{name: app, ports: [{containerPort: 80}]}]}}}
`,
  )
  .join('---');

const telemetry = (name: string, namespace: string, metrics: string, rest = ''): string => `
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: ${name}, namespace: ${namespace}}
spec: {metrics: ${metrics}${rest}}
`;
const mesh = (metrics: string) => telemetry('mesh', 'istio-system', metrics);
const namespace = (metrics: string) => telemetry('all', 'shop', metrics);
const app = (metrics: string) => telemetry('app', 'shop', metrics, ', selector: {matchLabels: {app: app}}');

const world = (objects: string, config = ''): Snapshot => snapshotOf(WORLD + objects, config === '' ? {} : meshConfigOf(config));

/** What is counted, as text: what is off, and labels that are not as usual. */
function said(settings: MetricSettings, reporter: 'source' | 'destination'): Record<string, string> {
  const { groups } = settings[reporter];
  return Object.fromEntries(
    STANDARD_METRICS.flatMap((metric) => {
      const group = groups.find(({ metrics }) => metrics.has(metric));
      if (group === undefined) return [[metric, 'off'] as const];
      const tags = Object.entries(group.tags).map(([name, tag]) =>
        tag.kind === 'remove' ? `-${name}` : `${name}=${tag.kind === 'literal' ? `'${tag.value}'` : tag.attribute}`,
      );
      return tags.length === 0 ? [] : [[metric, tags.join(' ')] as const];
    }),
  );
}
const ALL_OFF = Object.fromEntries(STANDARD_METRICS.map((metric) => [metric, 'off']));
const settingsOf = (snapshot: Snapshot, workload = 'shop/app') => snapshotMetricSettings(() => snapshot)(workload);

describe('what Telemetry objects say of metrics', () => {
  it('nothing: all is counted', () => {
    assert.deepEqual(said(settingsOf(world('')), 'source'), {});
    assert.deepEqual(said(settingsOf(world(namespace('[{providers: [{name: prometheus}]}]'))), 'destination'), {});
  });

  it('the narrower level adds to the wider, and wins', () => {
    const snapshot = world(
      mesh(
        '[{overrides: [{match: {metric: REQUEST_SIZE}, disabled: true}, {tagOverrides: {source_app: {operation: REMOVE}}}]}]',
      ) +
        namespace('[{overrides: [{match: {metric: REQUEST_SIZE}, disabled: false}]}]') +
        app(
          `[{overrides: [{match: {metric: REQUEST_COUNT, mode: SERVER}, tagOverrides: {source_app: {value: "'x'"}, method: {value: request.method}}}]}]`,
        ),
    );
    const usual = Object.fromEntries(STANDARD_METRICS.map((metric) => [metric, '-source_app']));
    assert.deepEqual(said(settingsOf(snapshot, 'other/app'), 'source'), { ...usual, REQUEST_SIZE: 'off' });
    assert.deepEqual(said(settingsOf(snapshot, 'shop/web'), 'source'), usual);
    assert.deepEqual(said(settingsOf(snapshot), 'source'), usual);
    assert.deepEqual(said(settingsOf(snapshot), 'destination'), {
      ...usual,
      REQUEST_COUNT: "method=request.method source_app='x'",
    });
    // Unknown workloads: the mesh's.
    const [unknown, other] = [undefined, 'other/app'].map((name) => snapshotMetricSettings(() => snapshot)(name));
    assert.deepEqual(unknown, other);
  });

  it('all off for one end, and on again for a workload, as Istio reads it', () => {
    const off = namespace('[{overrides: [{match: {metric: ALL_METRICS, mode: CLIENT}, disabled: true}]}]');
    assert.deepEqual(said(settingsOf(world(off)), 'source'), ALL_OFF);
    assert.deepEqual(said(settingsOf(world(off)), 'destination'), {});
    const on = world(off + app('[{overrides: [{match: {metric: REQUEST_COUNT}, disabled: false}]}]'));
    assert.deepEqual(said(settingsOf(on), 'source'), {});
    assert.deepEqual(said(settingsOf(on, 'shop/web'), 'source'), ALL_OFF);
  });

  it('who counts is the provider that was named last; ours is of the kind prometheus', () => {
    const away = mesh('[{providers: [{name: stackdriver}]}]');
    assert.deepEqual(said(settingsOf(world(away)), 'source'), ALL_OFF);
    const back = world(
      away + namespace('[{providers: [{name: prometheus}], overrides: [{match: {metric: RESPONSE_SIZE}, disabled: true}]}]'),
    );
    assert.deepEqual(said(settingsOf(back), 'source'), { RESPONSE_SIZE: 'off' });
    // A rule of another provider is none of ours.
    const beside = world(
      mesh('[{overrides: [{match: {metric: RESPONSE_SIZE}, disabled: true}]}]') +
        namespace('[{providers: [{name: stackdriver}, {name: prometheus}]}]'),
    );
    assert.deepEqual(said(settingsOf(beside), 'source'), { RESPONSE_SIZE: 'off' });
  });

  it('defaultProviders without metrics, and a provider of that kind under another name', () => {
    assert.deepEqual(said(settingsOf(world('', 'defaultProviders: {metrics: []}')), 'source'), ALL_OFF);
    const named = 'extensionProviders: [{name: mine, prometheus: {}}]\ndefaultProviders: {metrics: [mine]}';
    assert.deepEqual(said(settingsOf(world('', named)), 'source'), {});
    const tagged = world(namespace('[{overrides: [{tagOverrides: {a: {value: "1"}}}]}]'), named);
    assert.equal(said(settingsOf(tagged), 'source')['REQUEST_COUNT'], "a='1'");
  });

  it('stays the same object while the objects that it is made from do', () => {
    const snapshot = world(namespace('[{overrides: [{match: {metric: RESPONSE_SIZE}, disabled: true}]}]'));
    assert.equal(settingsOf(snapshot), settingsOf({ ...snapshot }));
    assert.equal(settingsOf(snapshot), settingsOf(snapshot, 'shop/web'));
    assert.notEqual(settingsOf(snapshot), settingsOf({ ...snapshot, telemetries: [...snapshot.telemetries] }));
  });
});
