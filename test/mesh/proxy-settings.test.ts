import assert from 'node:assert/strict';
import { admit } from '../../mesh/admit/admit.ts';
import { DEFAULT_MESH_CONFIG } from '../../mesh/admit/mesh-config.ts';
import { buildSnapshot } from '../../mesh/admit/snapshot.ts';
import { proxyStart } from '../../mesh/model/proxy-settings.ts';
import { documentsOf } from '../../mesh/source/load.ts';

const config = (name: string, namespace: string, spec: string): string => `---
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: ${name}, namespace: ${namespace}}
spec: {${spec}}
`;

function read(yaml: string) {
  const { documents } = documentsOf('in.yaml', yaml);
  const { admitted, diagnostics } = admit(documents, { meshConfig: DEFAULT_MESH_CONFIG, defaultNamespace: 'default' });
  const { snapshot } = buildSnapshot(admitted, DEFAULT_MESH_CONFIG, 1, undefined, {});
  return { said: diagnostics.map(({ code, field }) => `${code} ${field}`), settings: snapshot.proxySettings ?? [] };
}

describe('ProxyConfig', () => {
  const { said, settings } = read(
    config('mesh', 'istio-system', 'concurrency: 4, environmentVariables: {STAGE: prod, REGION: eu}') +
      config('shop', 'shop', 'environmentVariables: {STAGE: test}') +
      config('cart', 'shop', 'selector: {matchLabels: {app: cart}}, concurrency: 0') +
      config('other', 'elsewhere', 'selector: {matchLabels: {app: cart}}, concurrency: 9'),
  );
  const startOf = (namespace: string, app: string) => proxyStart(settings, 'istio-system', namespace, { app });

  it('holds for the mesh, a namespace and some workloads, the narrower before the wider', () => {
    assert.deepEqual(said, []);
    assert.deepEqual(startOf('bank', 'web'), { concurrency: 4, environment: { STAGE: 'prod', REGION: 'eu' } });
    assert.deepEqual(startOf('shop', 'web'), { concurrency: 4, environment: { STAGE: 'test', REGION: 'eu' } });
    assert.deepEqual(startOf('shop', 'cart'), { concurrency: 0, environment: { STAGE: 'test', REGION: 'eu' } });
  });

  it('sets no variable that decides what is run, and says that images have no effect', () => {
    const { said: warned, settings: found } = read(
      config('bad', 'shop', 'environmentVariables: {LD_PRELOAD: /x.so, PATH: /x, "A=B": c, GOOD: d}, image: {imageType: debug}'),
    );
    assert.deepEqual(found[0]?.environment, { GOOD: 'd' });
    assert.deepEqual(
      warned.map((one) => one.split(' ')[0]),
      ['not-supported', 'not-supported', 'bad-name', 'not-yet-applied'],
    );
  });
});
