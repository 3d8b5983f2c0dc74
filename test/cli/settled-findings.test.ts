import assert from 'node:assert/strict';
import { capped, SettledFindings } from '../../cli/input/settled-findings.ts';
import { writtenObjects } from '../../mesh/admit/written-objects.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { loadMesh } from '../../mesh/source/mesh.ts';
import { eventually } from '../eventually.ts';
import { TestFolder } from '../mesh/folder.ts';

const POLICY = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p, namespace: shop}
spec:
  rules:
  - to: [{operation: {methods: [get]}}]
`;

function one(code: string, line: number): Diagnostic {
  return { file: 'a.yaml', line, severity: 'warning', code, message: `finding ${line}` };
}

describe('findings of a running process', () => {
  it('of each code the first are told, the rest counted', () => {
    const many = Array.from({ length: 50 }, (_, at) => one('often', at + 1));
    const told = capped([...many, one('once', 1)], 20);
    assert.equal(told.length, 22);
    assert.deepEqual(told[0], many[0]);
    assert.match(told[20]?.message ?? '', /50 in all/);
    assert.equal(told[21]?.code, 'once');
  });

  it('come when changes have come to rest, once for many', async () => {
    const folder = new TestFolder();
    const { snapshot, written } = loadMesh({ paths: [folder.write('p.yaml', POLICY)] });
    let told = 0;
    const settled = new SettledFindings(
      { snapshot: () => snapshot, written: () => writtenObjects(written), clock: () => new Date() },
      () => {
        told += 1;
      },
    );
    try {
      for (let change = 0; change < 10; change += 1) settled.changed();
      assert.equal(settled.current.length, 0);
      await eventually('findings are told', () => (told > 0 ? true : undefined));
      assert.deepEqual(
        settled.current.map(({ code, line }) => `${code} ${line}`),
        ['unknown-method 6'],
      );
      assert.equal(told, 1);
    } finally {
      settled.close();
      folder.dispose();
    }
  });
});
