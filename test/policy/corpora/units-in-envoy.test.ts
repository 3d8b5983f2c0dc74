import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { askEnvoy } from './golden/ask.ts';
import { compiled } from './golden/ours.ts';
import { freePorts } from './golden/ports.ts';
import { probesFor } from './golden/probes.ts';
import { recordOf } from './golden/record.ts';
import { Translation } from './golden/translate.ts';
import { filterUnits, type Unit } from './golden/units.ts';
import { pairs } from './unit-pairs.ts';

describe('policy, corpus: what Istio makes of one value', function () {
  this.timeout(60_000);
  const all = pairs();
  const said = new Map<string, { theirs: string; ours: string }>();

  before(async function () {
    const envoy = envoyOrSkip(this);
    if (all.length === 0) this.skip();
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-units-'));
    const translation = new Translation(await freePorts(8));
    const policies = all.map(({ rule }, index) =>
      recordOf(
        translation.of({
          apiVersion: 'security.istio.io/v1',
          kind: 'AuthorizationPolicy',
          metadata: { name: `row-${index}`, namespace: 'foo' },
          spec: { action: 'DENY', rules: [rule] },
        }),
      ),
    );
    const units = all.flatMap(({ want, layer }, index): Unit[] => {
      const theirs: Unit = {
        label: 'theirs',
        form: 'rules',
        value: recordOf(translation.of({ action: 'DENY', policies: { row: want } })),
      };
      const workload = { namespace: 'foo', labels: {} };
      const [config] = compiled([policies[index] ?? {}], { folder, layer, workload, meshConfig: {} });
      const [ours] = filterUnits(config ?? {});
      assert.ok(ours !== undefined);
      return [theirs, ours];
    });
    translation.port(65_535);
    const probes = probesFor(policies, translation.ports, 20_261_121);
    const answers = (await askEnvoy(envoy, folder, units, translation.ports, probes)).filter((one) => one !== undefined);
    const column = (at: number): string => answers.map((one) => (one[at] === true ? 'D' : 'a')).join('');
    for (const [index, { id }] of all.entries()) said.set(id, { theirs: column(2 * index), ours: column(2 * index + 1) });
    rmSync(folder, { recursive: true, force: true });
  });

  if (all.length === 0) {
    it('rows', function () {
      this.skip();
    });
  }
  for (const { id, rule } of all) {
    it(id, () => {
      const { theirs = '', ours = '' } = said.get(id) ?? {};
      assert.equal(ours, theirs);
      // No request is without a path.
      if (JSON.stringify(rule).includes('"paths":["*"]')) return;
      assert.match(theirs, /D.*a|a.*D/, 'the requests must tell matching from not matching');
    });
  }
});
