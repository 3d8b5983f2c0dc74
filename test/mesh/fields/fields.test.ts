import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { admit } from '../../../mesh/admit/admit.ts';
import { DEFAULT_MESH_CONFIG } from '../../../mesh/admit/mesh-config.ts';
import { documentsOf } from '../../../mesh/source/load.ts';
import { CORPORA, isPresent } from '../../shared-data.ts';
import { EXAMPLES, REFUSED } from './examples.ts';

const CRDS = join(CORPORA, 'validation-crds', 'crds', 'istio-crds.yaml');

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
}
interface Definition {
  readonly spec: {
    readonly names: { readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: { readonly properties: { readonly spec: Schema } } };
    }[];
  };
}

/** One reader reads each of these wherever it stands. */
function once(kind: string, path: string): string {
  if (kind === 'DestinationRule')
    return path.replace(/^subsets\[\]\.trafficPolicy/, 'trafficPolicy').replace(/portLevelSettings\[\]\.(?!port\b)/, '');
  return kind === 'Sidecar' ? path.replace('ingress[].connectionPool', 'inboundConnectionPool') : path;
}

function leaves(schema: Schema, path: string): readonly string[] {
  if (schema.properties !== undefined)
    return Object.entries(schema.properties).flatMap(([name, one]) => leaves(one, path === '' ? name : `${path}.${name}`));
  if (schema.items !== undefined) return leaves(schema.items, `${path}[]`);
  return typeof schema.additionalProperties === 'object' ? leaves(schema.additionalProperties, `${path}.*`) : [path];
}

interface Place {
  /** As in the schema. */
  readonly path: string;
  /** As in diagnostics. */
  readonly written: string;
  readonly remove: () => object;
}

/** The leaves of an example with copies that lack them. `at` walks from the root of the copy to the holder. */
function placesOf(root: object, schema: Schema): readonly Place[] {
  const found: Place[] = [];
  const visit = (value: unknown, one: Schema, path: string, written: string, keys: readonly (string | number)[]): void => {
    if (Array.isArray(value)) {
      for (const [at, item] of value.entries()) visit(item, one.items ?? {}, `${path}[]`, `${written}[${at}]`, [...keys, at]);
    } else if (
      typeof value === 'object' &&
      value !== null &&
      (one.properties !== undefined || typeof one.additionalProperties === 'object')
    ) {
      for (const [name, item] of Object.entries(value)) {
        const own = one.properties?.[name];
        const next = own ?? (typeof one.additionalProperties === 'object' ? one.additionalProperties : {});
        const step = own === undefined ? '*' : name;
        visit(item, next, path === '' ? step : `${path}.${step}`, `${written}.${name}`, [...keys, name]);
      }
    } else {
      found.push({ path, written, remove: () => without(root, keys) });
    }
  };
  visit(root, schema, '', 'spec', []);
  return found;
}

function without(root: object, keys: readonly (string | number)[]): object {
  const copy: unknown = structuredClone(root);
  let holder: unknown = copy;
  for (const key of keys.slice(0, -1)) holder = Reflect.get(Object(holder), key);
  const last = keys.at(-1) ?? '';
  if (Array.isArray(holder)) holder.splice(Number(last), 1);
  else Reflect.deleteProperty(Object(holder), last);
  return Object(copy) as object;
}

function read(kind: string, spec: object) {
  const yaml = stringify({ apiVersion: 'networking.istio.io/v1', kind, metadata: { name: 'one', namespace: 'default' }, spec });
  const { documents } = documentsOf('in.yaml', yaml);
  const { admitted, diagnostics } = admit(documents, { meshConfig: DEFAULT_MESH_CONFIG, defaultNamespace: 'default' });
  const model = admitted.map(({ object }) =>
    JSON.stringify(object, (_, value: unknown) => (value instanceof Map ? [...value] : value)),
  );
  return { errors: diagnostics.filter(({ severity }) => severity === 'error'), diagnostics, model: model.join() };
}

/** Rows of the page: kind, field, why. */
function listed(): ReadonlyMap<string, string> {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/compatibility.md'), 'utf8');
  const section = page.slice(page.indexOf('## Fields without effect'));
  return new Map(
    [...section.matchAll(/^\| ([A-Za-z]+) \| `([^`]+)` \| (.+) \|$/gm)].map(([, kind, field, why]) => [
      `${kind} ${field}`,
      why ?? '',
    ]),
  );
}

describe('every field of the networking kinds', () => {
  const definitions = (): readonly Definition[] =>
    parseAllDocuments(readFileSync(CRDS, 'utf8')).flatMap((document) => {
      const one = document.toJS() as Definition | null;
      return one === null || !(one.spec.names.kind in EXAMPLES) ? [] : [one];
    });

  it('is read and used, or stands on the page with the reason', function () {
    if (!isPresent(CRDS)) this.skip();
    const known = listed();
    const ineffective = new Set<string>();
    const missing: string[] = [];
    for (const { spec: definition } of definitions()) {
      const { kind } = definition.names;
      const schema = definition.versions.find(({ name }) => name === 'v1')?.schema.openAPIV3Schema.properties.spec;
      assert.ok(schema !== undefined);
      const seen = new Map<string, boolean>();
      for (const text of EXAMPLES[kind] ?? []) {
        const spec = parse(text) as object;
        const whole = read(kind, spec);
        assert.deepEqual(
          whole.errors.map(({ field = '', message }) => `${kind} ${field} ${message}`),
          [],
        );
        const warned = whole.diagnostics.filter(({ code }) => code === 'not-yet-applied').map(({ field = '' }) => field);
        for (const { path, written, remove } of placesOf(spec, schema)) {
          const name = once(kind, path);
          const less = read(kind, remove());
          const unapplied = warned.some(
            (one) => written === one || written.startsWith(`${one}.`) || written.startsWith(`${one}[`),
          );
          const used = !unapplied && (less.errors.length > 0 || less.model !== whole.model);
          // Of several places, one is enough.
          seen.set(name, (seen.get(name) ?? false) || used);
        }
      }
      const refused = REFUSED[kind];
      if (refused !== undefined) {
        const spec = parse(refused) as object;
        const { errors } = read(kind, spec);
        assert.deepEqual(
          errors.filter(({ code }) => code === 'unknown-field'),
          [],
        );
        for (const { path, written } of placesOf(spec, schema))
          if (errors.some(({ field = '' }) => written === field || written.startsWith(`${field}[`)))
            seen.set(once(kind, path), true);
      }
      for (const [name, used] of seen) if (!used) ineffective.add(`${kind} ${name}`);
      for (const leaf of new Set(leaves(schema, '').map((one) => once(kind, one))))
        if (!seen.has(leaf)) missing.push(`${kind} ${leaf}`);
    }
    assert.deepEqual(missing, [], 'in no example');
    // A row may speak of a whole branch.
    const covers = (row: string, field: string) => row === field || field.startsWith(`${row}.`) || field.startsWith(`${row}[`);
    assert.deepEqual(
      [...ineffective].filter((field) => ![...known.keys()].some((row) => covers(row, field))),
      [],
      'without effect, and not on the page',
    );
    assert.deepEqual(
      [...known.keys()].filter(
        (row) =>
          row.split(' ')[0] !== 'Telemetry' &&
          row.split(' ')[0] !== 'ProxyConfig' &&
          ![...ineffective].some((field) => covers(row, field)),
      ),
      [],
      'on the page, and has an effect',
    );
  });

  it('is told apart from those that are not there, at every level', function () {
    if (!isPresent(CRDS)) this.skip();
    for (const [kind, texts] of Object.entries(EXAMPLES)) {
      const spec = parse(texts[0] ?? '') as object;
      const { errors } = read(kind, { ...spec, noSuchField: 1 });
      assert.deepEqual(
        errors.map(({ code }) => code),
        ['unknown-field'],
        kind,
      );
    }
  });
});

/** An object in which an old form stands, by its row of the page. */
const OLD: Readonly<Record<string, string>> = {
  'VirtualService http[].route[].destination.name': 'hosts: [a], http: [{route: [{destination: {name: a}}]}]',
  'VirtualService http[].mirrorPercent':
    'hosts: [a], http: [{route: [{destination: {host: a}}], mirror: {host: b}, mirrorPercent: 3}]',
  'VirtualService http[].mirror_percent':
    'hosts: [a], http: [{route: [{destination: {host: a}}], mirror: {host: b}, mirror_percent: 3}]',
  'VirtualService http[].fault.abort.percent':
    'hosts: [a], http: [{route: [{destination: {host: a}}], fault: {abort: {httpStatus: 500, percent: 3}}}]',
  'VirtualService http[].fault.delay.percent':
    'hosts: [a], http: [{route: [{destination: {host: a}}], fault: {delay: {fixedDelay: 1s, percent: 3}}}]',
  'VirtualService http[].corsPolicy.allowOrigin':
    'hosts: [a], http: [{route: [{destination: {host: a}}], corsPolicy: {allowOrigin: [b]}}]',
  'VirtualService http[].websocketUpgrade': 'hosts: [a], http: [{route: [{destination: {host: a}}], websocketUpgrade: true}]',
  'VirtualService http[].appendHeaders': 'hosts: [a], http: [{route: [{destination: {host: a}}], appendHeaders: {x: y}}]',
  'VirtualService http[].appendRequestHeaders':
    'hosts: [a], http: [{route: [{destination: {host: a}}], appendRequestHeaders: {x: y}}]',
  'VirtualService http[].removeRequestHeaders':
    'hosts: [a], http: [{route: [{destination: {host: a}}], removeRequestHeaders: [x]}]',
  'VirtualService http[].appendResponseHeaders':
    'hosts: [a], http: [{route: [{destination: {host: a}}], appendResponseHeaders: {x: y}}]',
  'VirtualService http[].removeResponseHeaders':
    'hosts: [a], http: [{route: [{destination: {host: a}}], removeResponseHeaders: [x]}]',
  'DestinationRule name': 'name: a, subsets: [{name: v1, labels: {a: b}}]',
  'DestinationRule trafficPolicy.loadBalancer.simple': 'host: a, trafficPolicy: {loadBalancer: {simple: LEAST_CONN}}',
  'DestinationRule trafficPolicy.loadBalancer.warmupDurationSecs':
    'host: a, trafficPolicy: {loadBalancer: {warmupDurationSecs: 3s}}',
  'DestinationRule trafficPolicy.loadBalancer.consistentHash.minimumRingSize':
    'host: a, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: a, minimumRingSize: 3}}}',
  'DestinationRule trafficPolicy.outlierDetection.consecutiveErrors':
    'host: a, trafficPolicy: {outlierDetection: {consecutiveErrors: 3}}',
};

describe('old forms', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/compatibility.md'), 'utf8');
  const section = page.slice(page.indexOf('## Old forms'), page.indexOf('## Fields without effect'));
  const rows = new Map(
    [...section.matchAll(/^\| (\w+) \| `([^`]+)` \| (.+) \|$/gm)].map(([, kind, field, today]) => [
      `${kind} ${field}`,
      today ?? '',
    ]),
  );

  it('of the page are those that are tried', () => {
    assert.deepEqual([...rows.keys()].sort(), Object.keys(OLD).sort());
  });
  for (const [row, today] of rows) {
    it(`${row}: warned of, naming today's`, () => {
      const [kind = '', field = ''] = row.split(' ');
      const { errors, diagnostics } = read(kind, parse(`{${OLD[row] ?? ''}}`) as object);
      assert.deepEqual(errors, []);
      const [warned, ...more] = diagnostics.filter(({ code }) => code === 'old-form');
      assert.deepEqual(more, []);
      assert.equal(warned?.severity, 'warning');
      assert.equal(warned.field?.replaceAll(/\[\d+\]/g, '[]'), `spec.${field}`);
      // The first words of what stands on the page, up to where it is left open.
      const [, said = today] = /`([^`…]+)/.exec(today) ?? [];
      assert.ok(warned.hint?.includes(said.split(' {')[0] ?? said), `${warned.hint} for ${today}`);
    });
  }

  it("change headers as today's do", () => {
    const old =
      'appendHeaders: {a: b}, removeResponseHeaders: [c], route: [{destination: {host: a}, appendResponseHeaders: {d: e}}]';
    const today =
      'headers: {request: {add: {a: b}}, response: {remove: [c]}}, route: [{destination: {host: a}, headers: {response: {add: {d: e}}}}]';
    const [one, other] = [old, today].map(
      (http) => read('VirtualService', parse(`{hosts: [a], http: [{${http}}]}`) as object).model,
    );
    assert.equal(one?.replaceAll(/"line":\d+/g, ''), other?.replaceAll(/"line":\d+/g, ''));
  });
});
