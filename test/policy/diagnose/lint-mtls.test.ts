import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findings } from '../../../cli/input/findings.ts';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { casesOf, text } from '../../mesh/corpus/corpora.ts';
import { CORPORA } from '../../shared-data.ts';

/** Whether it is said that an AuthorizationPolicy needs identities where callers have none. */
function warns(config: string, enableAutoMtls: boolean): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  try {
    const meshConfigFile = join(folder, 'mesh.yaml');
    writeFileSync(meshConfigFile, `enableAutoMtls: ${enableAutoMtls}\n`);
    const { snapshot, written } = loadMesh({ paths: [join(CORPORA, 'lint-mtls-for-authz', config)], meshConfigFile });
    return findings(snapshot, written, new Date(0)).some(({ code }) => code === 'identity-without-mtls');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("policies that need mutual TLS, by Kiali's cases", () => {
  const cases = casesOf('lint-mtls-for-authz');
  it('the corpus is here', function () {
    if (cases === undefined) this.skip();
  });
  for (const one of cases ?? []) {
    for (const [auto, expected] of [
      [true, one['warnWhenAutoMtls']],
      [false, one['warnWhenNoAutoMtls']],
    ] as const) {
      if (typeof expected !== 'boolean') continue;
      it(`${text(one['id'])}, ${auto ? 'with' : 'without'} automatic mutual TLS`, () => {
        assert.equal(warns(text(one['config']), auto), expected);
      });
    }
  }
});
