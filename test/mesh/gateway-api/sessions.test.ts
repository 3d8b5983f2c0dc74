import assert from 'node:assert/strict';
import { admit } from '../../../mesh/admit/admit.ts';
import { DEFAULT_MESH_CONFIG } from '../../../mesh/admit/mesh-config.ts';
import { nodeOf } from '../../../mesh/admit/node.ts';

function told(sessionPersistence: object, parent: object = { name: 'edge' }): readonly string[] {
  const route = {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { parentRefs: [parent], rules: [{ backendRefs: [{ name: 'web', port: 80 }], sessionPersistence }] },
  };
  const { diagnostics } = admit([{ file: 'route.yaml', offset: 0, node: nodeOf(route, 1) }], {
    meshConfig: DEFAULT_MESH_CONFIG,
    defaultNamespace: 'default',
  });
  return diagnostics.map(({ severity, code }) => `${severity} ${code}`);
}

describe('sessionPersistence of a rule', () => {
  const cases: readonly (readonly [object, readonly string[]])[] = [
    [{}, []],
    [{ sessionName: 'stick', type: 'Cookie', cookieConfig: { lifetimeType: 'Session' } }, []],
    [{ absoluteTimeout: '1h', cookieConfig: { lifetimeType: 'Permanent' } }, []],
    [{ type: 'Header', sessionName: 'x-session' }, []],
    [{ cookieConfig: { lifetimeType: 'Permanent' } }, ['error missing-field']],
    [{ type: 'Header', cookieConfig: { lifetimeType: 'Session' } }, ['error contradiction']],
    [{ sessionName: 'a;b' }, ['error bad-name']],
    [{ sessionName: 'x'.repeat(129) }, ['error bad-name']],
    [{ absoluteTimeout: 'soon' }, ['error bad-duration', 'warning not-yet-applied']],
    [{ absoluteTimeout: '1h' }, ['warning not-yet-applied']],
    [{ idleTimeout: '1m' }, ['warning not-yet-applied']],
    [{ type: 'Query' }, ['error unknown-value']],
    [{ cookie: {} }, ['error unknown-field']],
  ];
  for (const [written, expected] of cases) {
    it(`${JSON.stringify(written).slice(0, 80)}: ${expected.join(', ') || 'taken'}`, () => {
      assert.deepEqual(told(written).toSorted(), expected.toSorted());
    });
  }

  it('of a route for callers in the mesh is told not to hold for them', () => {
    assert.deepEqual(told({}, { group: '', kind: 'Service', name: 'web' }), ['warning not-yet-applied']);
  });
});
