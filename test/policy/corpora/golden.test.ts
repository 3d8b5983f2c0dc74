import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { envoyOrSkip, envoyPath } from '../../audit/envoy/process.ts';
import { casesOf, corpusPath } from './corpus.ts';
import { askEnvoy } from './golden/ask.ts';
import { compiled } from './golden/ours.ts';
import { freePorts } from './golden/ports.ts';
import { probesFor } from './golden/probes.ts';
import { type Record, isRecord, recordOf } from './golden/record.ts';
import { conditionsOf, rulesOf, type Slice, valuesOf } from './golden/slices.ts';
import { Translation } from './golden/translate.ts';
import { conditionUnits, filterUnits, ruleUnits, type Unit, valueUnits } from './golden/units.ts';
import { complete } from './judged.ts';

interface Golden {
  readonly id: string;
  readonly layer: 'http' | 'tcp';
  readonly policies: string;
  readonly want: readonly string[];
  readonly options: {
    readonly trustDomain: string;
    readonly trustDomainAliases: readonly string[];
    readonly isCustomBuilder: boolean;
    readonly meshConfig: Record | null;
    readonly workload: { readonly namespace: string; readonly labels: Readonly<globalThis.Record<string, string>> };
  };
}

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);
/** Ports of its own for each case; no case names as many. */
const PORTS = 24;

/** All that one side says of a case. */
interface Side {
  readonly filters: readonly Unit[];
  readonly rules: readonly Unit[];
  readonly conditions: readonly Unit[];
  readonly values: readonly Unit[];
}

function documents(file: string): readonly Record[] {
  return parseAllDocuments(readFileSync(file, 'utf8'))
    .map((one): unknown => one.toJS())
    .filter((one): one is Record => isRecord(one));
}

describe('policy, corpus: the filters that Istio makes', function () {
  this.timeout(120_000);
  const path = corpusPath('authz-golden');
  const envoy = envoyPath();
  let folder = '';
  let probed = 0;
  let compared = 0;

  before(function () {
    envoyOrSkip(this);
    if (path === undefined) this.skip();
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-golden-'));
  });
  after(() => {
    if (folder === '') return;
    rmSync(folder, { recursive: true, force: true });
    process.stdout.write(`    ${probed} requests, ${compared} pieces compared; seed ${SEED}\n`);
  });

  function compiledFor(policies: readonly Record[], { layer, options }: Golden): readonly Record[] {
    const { trustDomain, trustDomainAliases, workload } = options;
    const meshConfig = { ...options.meshConfig, ...(trustDomain === '' ? {} : { trustDomain }), trustDomainAliases };
    return compiled(policies, { folder, layer, workload, meshConfig });
  }

  function ours(policies: readonly Record[], golden: Golden): Side {
    const units = (slices: readonly Slice[]): readonly Unit[] =>
      slices.flatMap(({ rule, policy }) => {
        const all = compiledFor([policy], golden).flatMap(filterUnits);
        // What CUSTOM marks is noted, not enforced; what is enforced beside it is about marks that this test has not.
        const marks = all.filter(({ label }) => label.startsWith('dry run'));
        const chosen = golden.options.isCustomBuilder && marks.length > 0 ? marks : all;
        return chosen.map((unit) => ({ ...unit, label: rule }));
      });
    return {
      filters: compiledFor(policies, golden).flatMap(filterUnits),
      rules: units(policies.flatMap(rulesOf)),
      conditions: units(policies.flatMap(conditionsOf)),
      values: units(policies.flatMap(valuesOf)),
    };
  }

  function wanted(translation: Translation, { want }: Golden): Side {
    assert.ok(path !== undefined);
    const configs = want
      .flatMap((file) => documents(join(path, file)))
      .map((filter) => recordOf(translation.of(recordOf(filter)['typedConfig'])));
    return {
      filters: configs.flatMap(filterUnits),
      rules: configs.flatMap(ruleUnits),
      conditions: configs.flatMap(conditionUnits),
      values: configs.flatMap(valueUnits),
    };
  }

  complete('authz-golden', new Set(casesOf<Golden>('authz-golden').map(({ id }) => id)));
  for (const golden of casesOf<Golden>('authz-golden')) {
    it(golden.id, async function () {
      if (path === undefined || envoy === undefined) this.skip();
      const translation = new Translation(await freePorts(PORTS));
      const policies = documents(join(path, golden.policies)).map((one) => recordOf(translation.of(one)));
      const theirs = wanted(translation, golden);
      const mine = ours(policies, golden);
      translation.port(65_535);
      const units = [theirs, mine].flatMap((side) => [...side.filters, ...side.rules, ...side.conditions, ...side.values]);
      const own = join(folder, golden.id.replace('/', '-'));
      mkdirSync(own);
      const probes = probesFor(policies, translation.ports, SEED);
      const answers = (await askEnvoy(envoy, own, units, translation.ports, probes)).filter((one) => one !== undefined);
      const columns = new Map(units.map((unit, at) => [unit, answers.map((one) => (one[at] === true ? 'D' : 'a')).join('')]));
      const said = (unit: Unit): string => columns.get(unit) ?? '';
      compare('filters', theirs.filters, mine.filters, said);
      compare('rules', theirs.rules, mine.rules, said);
      compareConditions('conditions', theirs.conditions, mine.conditions, said);
      // Some values are joined by Istio in a form that cannot be taken apart, so only what it has apart is looked for; and where the
      // trust domain has several names, one principal stands for several.
      if (golden.options.trustDomainAliases.length === 0) compareConditions('values', theirs.values, mine.values, said);
      probed += answers.length;
      compared += units.length;
    });
  }
});

/** All that units of one label say, in the order of the probes: denied when one of them denies. */
function byLabel(units: readonly Unit[], said: (unit: Unit) => string): ReadonlyMap<string, string> {
  return new Map(
    [...Map.groupBy(units, ({ label }) => label)].map(([label, group]) => {
      const all = group.map(said);
      return [label, Array.from(all[0] ?? '', (_, index) => (all.some((one) => one[index] === 'D') ? 'D' : 'a')).join('')];
    }),
  );
}

function compare(what: string, theirs: readonly Unit[], mine: readonly Unit[], said: (unit: Unit) => string): void {
  const [want, got] = [byLabel(theirs, said), byLabel(mine, said)];
  for (const label of new Set([...want.keys(), ...got.keys()])) {
    const [one, other] = [want.get(label), got.get(label)];
    if (one !== undefined && other !== undefined) assert.equal(other, one, `${what}: ${label}`);
    // What only one side has must always say the same.
    else assert.match(one ?? other ?? '', /^(a*|D*)$/, `${what}: ${label} on one side only`);
  }
}

/** What only one side has, by what it says. */
function unmatched(ones: readonly Unit[], others: readonly Unit[], said: (unit: Unit) => string): readonly string[] {
  const known = new Set(others.map(said));
  // What is always true is no condition.
  return ones.filter((unit) => said(unit).includes('a') && !known.has(said(unit))).map(({ value }) => JSON.stringify(value));
}

/** The conditions of a rule, in any order. */
function compareConditions(what: string, theirs: readonly Unit[], mine: readonly Unit[], said: (unit: Unit) => string): void {
  for (const label of new Set(theirs.map((unit) => unit.label))) {
    const [want, got] = [theirs, mine].map((units) => units.filter((unit) => unit.label === label));
    assert.deepEqual(unmatched(want ?? [], got ?? [], said), [], `${what} of Istio's alone: ${label}`);
    if (what === 'conditions') assert.deepEqual(unmatched(got ?? [], want ?? [], said), [], `${what} of ours alone: ${label}`);
  }
}
