import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import { admit } from '../../mesh/admit/admit.ts';
import { DEFAULT_MESH_CONFIG, readMeshConfig } from '../../mesh/admit/mesh-config.ts';
import { Field } from '../../mesh/admit/field.ts';
import { nodeOf } from '../../mesh/admit/node.ts';
import { Report } from '../../mesh/admit/report.ts';
import { buildSnapshot } from '../../mesh/admit/snapshot.ts';

function trustedBy(annotation: string): { readonly count: number | undefined; readonly codes: readonly string[] } {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'edge', namespace: 'shop', annotations: { 'proxy.istio.io/config': annotation } },
    spec: { containers: [{ name: 'proxy' }] },
  };
  const { admitted, diagnostics } = admit([{ file: 'pod.yaml', offset: 0, node: nodeOf(pod, 1) }], {
    meshConfig: DEFAULT_MESH_CONFIG,
    defaultNamespace: 'default',
  });
  const { snapshot } = buildSnapshot(admitted, DEFAULT_MESH_CONFIG, 1);
  assert.equal(snapshot.workloads.length, 1, 'the pod stays in the mesh');
  return { count: snapshot.workloads[0]?.numTrustedProxies, codes: diagnostics.map(({ code }) => code) };
}

describe('proxies that a gateway trusts about its callers', () => {
  it('are as many as its annotation says', () => {
    assert.deepEqual(trustedBy('gatewayTopology:\n  numTrustedProxies: 2\n'), { count: 2, codes: [] });
    assert.deepEqual(trustedBy(stringify({ concurrency: 2 })).count, undefined);
  });

  it('are no more where it cannot be read', () => {
    assert.deepEqual(trustedBy('gatewayTopology: {numTrustedProxies: many}'), { count: undefined, codes: ['wrong-type'] });
    assert.deepEqual(trustedBy('gatewayTopology: {numTrustedProxies: -1}'), { count: undefined, codes: ['out-of-range'] });
    assert.deepEqual(trustedBy('{'), { count: undefined, codes: ['bad-yaml'] });
    assert.deepEqual(trustedBy(`x: ${'y'.repeat(20_000)}`), { count: undefined, codes: ['bad-yaml'] });
    const bomb = ['a: &a [x, x]', 'b: &b [*a, *a]', 'c: &c [*b, *b, *b]', 'd: [*c, *c, *c, *c, *c]'].join('\n');
    assert.equal(trustedBy(bomb).count, undefined);
  });

  it('are those of the mesh configuration otherwise', () => {
    const read = (value: object): { readonly count: number | undefined; readonly failed: boolean } => {
      const report = new Report('mesh.yaml', undefined);
      const { numTrustedProxies: count } = readMeshConfig(new Field(nodeOf(value, 1), '', 1, report));
      return { count, failed: report.failed };
    };
    assert.deepEqual(read({ defaultConfig: { gatewayTopology: { numTrustedProxies: 1 } } }), { count: 1, failed: false });
    assert.deepEqual(read({ defaultConfig: { concurrency: 1 } }), { count: undefined, failed: false });
    assert.ok(read({ defaultConfig: { gatewayTopology: { forwardClientCertDetails: 'ALWAYS_FORWARD_ONLY' } } }).failed);
  });
});
