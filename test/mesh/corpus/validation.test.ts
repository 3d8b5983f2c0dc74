import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { admit } from '../../../mesh/admit/admit.ts';
import { DEFAULT_MESH_CONFIG } from '../../../mesh/admit/mesh-config.ts';
import { type Diagnostic, formatDiagnostic } from '../../../mesh/model/diagnostic.ts';
import { loadFiles } from '../../../mesh/source/load.ts';
import { CORPORA, isPresent, SEEDS } from '../../shared-data.ts';
import { casesOf, isRow, text } from './corpora.ts';
import { errorsOf } from './decide.ts';
import { divergences } from './divergences.ts';
import { WRAPS } from './wrap.ts';

/** Kinds whose cases are run; others are not configured here yet and only named in docs/divergences.md. */
const KINDS: ReadonlySet<string> = new Set([
  'AuthorizationPolicy',
  'PeerAuthentication',
  'RequestAuthentication',
  'Sidecar',
  'WorkloadEntry',
  'WorkloadGroup',
  'VirtualService',
  'DestinationRule',
  'Gateway',
  'ServiceEntry',
  'Telemetry',
  'ProxyConfig',
]);

function errorsIn(file: string): readonly Diagnostic[] {
  const loaded = loadFiles([file]);
  const { diagnostics } = admit(loaded.documents, { meshConfig: DEFAULT_MESH_CONFIG, defaultNamespace: 'default' });
  return [...loaded.diagnostics, ...diagnostics].filter(({ severity }) => severity === 'error');
}

/** Every case must be answered as Istio does, or be listed as a divergence and really be one. */
function judge(theme: string, id: string, valid: boolean, errors: readonly Diagnostic[]): void {
  const same = (errors.length === 0) === valid;
  if (divergences(theme).has(id)) return assert.ok(!same, `${id} is answered as Istio does: take it off docs/divergences.md`);
  return assert.ok(same, valid ? errors.map(formatDiagnostic).join('\n') : 'was accepted, Istio rejects it');
}

describe("validation, against Istio's own cases", () => {
  const tables = casesOf('validation-tables');
  it('the corpora are here', function () {
    if (tables === undefined) this.skip();
  });

  it('every table is run or named on the page as not run', function () {
    if (tables === undefined) this.skip();
    const page = readFileSync(join(import.meta.dirname, '../../../docs/divergences.md'), 'utf8');
    const named = (table: string): boolean =>
      [...page.matchAll(/Test\w+…?/g)].some(([name]) =>
        name.endsWith('…') ? table.startsWith(name.slice(0, -1)) : name === table,
      );
    const all = [...new Set(tables.map((one) => text(one['table'])))];
    assert.deepEqual(
      all.filter((table) => WRAPS[table] === undefined && !named(table)),
      [],
    );
  });

  describe('tables', () => {
    for (const one of tables ?? []) {
      const wrap = WRAPS[text(one['table'])];
      const row = isRow(one['row']) ? one['row'] : {};
      if (wrap === undefined) continue;
      const wrapped = wrap(row, text(one['key']));
      if (wrapped === undefined) continue;
      it(text(one['id']), () => judge('validation-tables', text(one['id']), wrapped.valid, errorsOf(wrapped)));
    }
  });

  describe('objects', () => {
    for (const one of casesOf('validation-crds') ?? []) {
      if (!KINDS.has(text(one['kind']))) continue;
      it(text(one['id']), () =>
        judge(
          'validation-crds',
          text(one['id']),
          one['valid'] === true,
          errorsIn(join(CORPORA, 'validation-crds', text(one['input']))),
        ),
      );
    }
  });

  describe('samples', () => {
    for (const one of casesOf('inputs-only') ?? []) {
      if (one['template'] === true) continue;
      it(text(one['id']), () =>
        judge('inputs-only', text(one['id']), true, errorsIn(join(CORPORA, 'inputs-only', text(one['input'])))),
      );
    }
  });
});

describe('manifests of articles', () => {
  const files = isPresent(SEEDS) ? readdirSync(SEEDS).filter((name) => name.endsWith('.yaml')) : [];
  it('are here', function () {
    if (files.length === 0) this.skip();
  });
  for (const name of files) {
    it(`${name} is admitted as it stands`, () => {
      const errors = errorsIn(join(SEEDS, name));
      // One article prints a Gateway that is no YAML.
      if (name !== '003-blue-green.yaml') return assert.deepEqual(errors.map(formatDiagnostic), []);
      assert.deepEqual(
        errors.map(({ line, object, code }) => `${line} ${object ?? ''} ${code}`),
        ['9 Gateway default/my-gateway bad-yaml'],
      );
      return assert.match(errors[0]?.hint ?? '', /servers is a list/);
    });
  }
});
