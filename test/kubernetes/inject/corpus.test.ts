import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { decide } from '../../../kubernetes/inject/decide.ts';
import { asJson, inject } from '../../../kubernetes/inject/inject.ts';
import { isObject, type Json, type JsonObject, objectAt, textAt, textsAt } from '../../../kubernetes/inject/json.ts';
import { settingsOfMeshConfig } from '../../../kubernetes/inject/mesh-settings.ts';
import { templatesIn, withTemplate } from '../../../kubernetes/inject/objects.ts';
import { DEFAULT_SETTINGS, type InjectionSettings } from '../../../kubernetes/inject/settings.ts';
import { variablesOfPath } from '../../../kubernetes/inject/url.ts';
import { valuesIn } from '../../../kubernetes/inject/values-document.ts';
import { parseSelector, settingsOfValues } from '../../../kubernetes/inject/values.ts';
import { divergences } from '../../mesh/corpus/divergences.ts';
import { CORPORA, isPresent } from '../../shared-data.ts';
import { meaning } from './meaning.ts';

const folder = join(CORPORA, 'injection');

interface Case {
  readonly id: string;
  readonly table?: string;
  readonly input?: string;
  readonly want?: string;
  readonly errorContains?: string;
  readonly options?: JsonObject;
  readonly row?: JsonObject;
}

/** Placeholders of the goldens. */
const ISTIO: InjectionSettings = {
  ...DEFAULT_SETTINGS,
  hub: 'registry.istio.io/testing',
  tag: 'latest',
  proxyImage: 'proxyv2',
  captureImage: 'proxyv2',
  controlPlane: { ...DEFAULT_SETTINGS.controlPlane, address: 'istiod.istio-system.svc:15012' },
};

/** `a.b=c` as Helm's --set has it. */
function set(values: JsonObject, path: readonly string[], value: string): JsonObject {
  const [field = '', ...rest] = path;
  return { ...values, [field]: rest.length === 0 ? value : set(objectAt(values, field), rest, value) };
}

function valuesOf(options: JsonObject): JsonObject {
  let values: JsonObject = {};
  const file = options['operatorValuesFile'];
  if (typeof file === 'string') {
    const read = valuesIn(parse(readFileSync(join(folder, file), 'utf8')));
    values = read.ok ? read.value : assert.fail(read.reason);
  }
  for (const one of Array.isArray(options['helmSet']) ? options['helmSet'] : []) {
    const [path = '', ...value] = String(one).split('=');
    const fields = path.split('.');
    values = set(values, fields[0] === 'components' ? ['pilot', ...fields.slice(1)] : fields.slice(1), value.join('='));
  }
  return values;
}

/** Changes of the mesh configuration, which the cases have as assignments of Go. */
function meshOf(options: JsonObject): JsonObject {
  const config: Record<string, Json> = {};
  for (const one of Array.isArray(options['mesh']) ? options['mesh'].filter(isObject) : []) {
    const field = (textAt(one, 'set') ?? '').replace('m.DefaultConfig.', '');
    const text = JSON.stringify(one['to']);
    if (field === 'InterceptionMode') config['interceptionMode'] = /ProxyConfig_(\w+)/.exec(text)?.[1] ?? '';
    else if (field === 'DrainDuration') config['drainDuration'] = `${/time\.Second"\},(\d+)/.exec(text)?.[1] ?? ''}s`;
    else assert.fail(`the case sets ${field}, which this test does not know`);
  }
  return { defaultConfig: config };
}

function settingsOf(options: JsonObject): InjectionSettings {
  const setup = JSON.stringify(options['setup'] ?? []);
  const values = settingsOfValues(valuesOf(options), { ...ISTIO, nativeSidecars: !setup.includes('NativeSidecarModeDisabled') });
  const mesh = settingsOfMeshConfig(meshOf(options), values);
  const openshift = setup.includes('platform.OpenShift') && mesh.captureBy.kind === 'cni';
  return openshift ? { ...mesh, captureBy: { kind: 'cni', multus: false } } : mesh;
}

function documents(file: string): readonly JsonObject[] {
  return parseAllDocuments(readFileSync(join(folder, file), 'utf8'))
    .map((one): unknown => one.toJS())
    .filter(isObject);
}

type Outcome = { readonly ok: true; readonly object: JsonObject } | { readonly ok: false; readonly reason: string };

/** As Istio's test: the namespace has the range of users that OpenShift would give it. */
const NAMESPACE_ANNOTATIONS = { 'openshift.io/sa.scc.uid-range': '1000620000/10000' };

export function injected(object: JsonObject, settings: InjectionSettings, openshift: boolean): Outcome {
  let result = object;
  for (const { path, pod, owner, namespace } of templatesIn(object, 'default')) {
    if (!decide(pod, namespace, settings).inject) continue;
    const namespaceAnnotations = openshift ? NAMESPACE_ANNOTATIONS : {};
    const outcome = inject({ pod, owner, namespace, namespaceAnnotations, environment: {} }, settings);
    if (!outcome.ok) return outcome;
    result = withTemplate(result, path, asJson(outcome.pod));
  }
  return { ok: true, object: result };
}

function run({ input = '', want, errorContains = '', options = {} }: Case): void {
  const settings = settingsOf(options);
  const openshift = JSON.stringify(options).includes('platform.OpenShift');
  const outcomes = documents(input).map((one) => injected(one, settings, openshift));
  if (want === undefined) {
    const reason = outcomes
      .map((one) => (one.ok ? '' : one.reason))
      .join('')
      .toLowerCase();
    // Istio's words are those of its flags, ours the annotation's own.
    return assert.ok(
      reason.replace('outbound', '').includes(errorContains.replace('outbound', '')),
      `no refusal names ${errorContains}`,
    );
  }
  const expected = documents(want);
  const actual = outcomes.map((one) => (one.ok ? one.object : assert.fail(one.reason)));
  assert.deepEqual(actual.map(comparable), expected.map(comparable));
  const again = actual
    .map((one) => injected(one, settings, openshift))
    .map((one) => (one.ok ? one.object : assert.fail(one.reason)));
  assert.deepEqual(again, actual, 'injected twice it is not as injected once');
}

/** Fields around the template are not injection's: Go prints defaults of theirs. */
function comparable(object: JsonObject): Json {
  const templates = templatesIn(object, 'default').map(({ pod, path }) => ({
    path: path.join('.'),
    metadata: pod.metadata,
    spec: pod.spec,
  }));
  return meaning(templates.map((one) => ({ ...one, metadata: { ...one.metadata, creationTimestamp: null } })));
}

function decideRow(row: JsonObject): void {
  const config = objectAt(row, 'config');
  const list = (field: string) =>
    Array.isArray(config[field]) ? config[field].filter(isObject).flatMap((one) => parseSelector(one) ?? []) : [];
  const metadata = objectAt(row, 'meta');
  const decision = decide({ metadata, spec: camel(objectAt(row, 'podSpec')) }, textAt(metadata, 'namespace') ?? '', {
    policy: config['Policy'] === 'enabled' ? 'enabled' : 'disabled',
    neverInject: list('NeverInjectSelector'),
    alwaysInject: list('AlwaysInjectSelector'),
  });
  assert.equal(decision.inject, row['want'] === true);
}

function camel(spec: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(spec).map(([field, value]) => [field.slice(0, 1).toLowerCase() + field.slice(1), value]),
  );
}

describe('injection, against the cases of Istio', () => {
  if (!isPresent(folder)) {
    it.skip('the corpus is not beside the repository');
    return;
  }
  const content: { readonly cases: readonly Case[] } = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));
  const apart = divergences('injection');
  for (const one of content.cases) {
    it(one.id, () => {
      const check = () => {
        if (one.table === 'TestInjectRequired') decideRow(one.row ?? {});
        else if (one.table === 'TestParseInjectEnvs')
          assert.deepEqual(variablesOfPath(textAt(one.row ?? {}, 'in') ?? ''), textsAt(one.row ?? {}, 'want'));
        else run(one);
      };
      if (apart.has(one.id)) assert.throws(check, `${one.id} is answered as Istio does: take it off docs/divergences.md`);
      else check();
    });
  }
  it('docs/divergences.md names no case that is not there', () => {
    const ids = new Set(content.cases.map(({ id }) => id));
    assert.deepEqual(
      [...apart].filter((id) => !ids.has(id)),
      [],
    );
  });
});
