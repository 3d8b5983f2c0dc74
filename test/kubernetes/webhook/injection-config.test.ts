import assert from 'node:assert/strict';
import { pino } from 'pino';
import { InjectionConfig } from '../../../cli/serve/injection-config.ts';
import { apiClient, type ApiClient } from '../../../kubernetes/api/client.ts';
import { clusterAccess } from '../../../kubernetes/api/connect.ts';
import { DEFAULT_SETTINGS } from '../../../kubernetes/inject/settings.ts';
import { TestFolder } from '../../mesh/folder.ts';
import { withApiServer } from '../api-server.ts';

const NAMESPACE = 'istio-system';
const mesh = (text: string): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'istio', namespace: NAMESPACE },
  data: { mesh: text },
});

describe('what the installation says of injected proxies', function () {
  this.timeout(120_000);
  const api = withApiServer();
  const folder = new TestFolder();
  let client: ApiClient;
  let asked = 0;
  let now = 0;
  let said: string[] = [];

  before(async () => {
    const real = apiClient(await clusterAccess({ file: api().kubeconfig }));
    client = {
      access: real.access,
      request: (request) => {
        asked += 1;
        return real.request(request);
      },
      stream: (request) => real.stream(request),
      close: () => real.close(),
    };
    await api().apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  });
  beforeEach(() => {
    asked = 0;
    said = [];
  });
  after(() => {
    client?.close();
    folder.dispose();
  });

  const config = (source: object = {}): InjectionConfig =>
    new InjectionConfig({
      client,
      systemNamespace: NAMESPACE,
      source,
      base: DEFAULT_SETTINGS,
      log: pino({}, { write: (line: string) => void said.push(line) }),
      monotonic: () => now,
    });

  it('without a ConfigMap the defaults hold; one that comes is in effect after five seconds, for one question by many', async () => {
    const one = config();
    assert.equal((await one.current()).trustDomain, 'cluster.local');
    await api().apply(mesh('trustDomain: prod.example'));
    now += 4_000;
    assert.equal((await one.current()).trustDomain, 'cluster.local');
    assert.equal(asked, 1);
    now += 2_000;
    const many = await Promise.all(Array.from({ length: 20 }, () => one.current()));
    assert.deepEqual(new Set(many.map(({ trustDomain }) => trustDomain)), new Set(['prod.example']));
    assert.equal(asked, 2);
  });

  it('one that is no MeshConfig, or an API server that is away, leaves what was there, and is told of', async () => {
    const one = config();
    assert.equal((await one.current()).trustDomain, 'prod.example');
    await api().apply(mesh('- a list'));
    now += 6_000;
    assert.equal((await one.current()).trustDomain, 'prod.example');
    assert.match(said.join(''), /no MeshConfig[^]*the last ones stay/);
    said = [];
    await api().kill();
    now += 6_000;
    assert.equal((await one.current()).trustDomain, 'prod.example');
    assert.equal(said.length, 1);
    assert.equal((await one.current()).trustDomain, 'prod.example');
    assert.equal(said.length, 1, 'it is not asked for again with each pod');
    await assert.rejects(config().current(), 'what was never read is not made up');
    await api().start();
    await api().apply(mesh('trustDomain: next.example'));
    now += 6_000;
    assert.equal((await one.current()).trustDomain, 'next.example');
  });

  it('a file counts in place of the ConfigMap, and is read again too', async () => {
    const meshConfig = folder.write('mesh.yaml', 'trustDomain: file.example\n');
    const one = config({ meshConfig, image: 'example.org/proxy:1' });
    const { trustDomain, proxyImage, captureImage } = await one.current();
    assert.deepEqual([trustDomain, proxyImage, captureImage], ['file.example', 'example.org/proxy:1', 'example.org/proxy:1']);
    folder.write('mesh.yaml', 'trustDomain: other.example\n');
    now += 6_000;
    assert.equal((await one.current()).trustDomain, 'other.example');
    assert.equal(asked, 0);
    const values = folder.write('values.yaml', 'global: {proxy: {logLevel: debug}}\n');
    assert.equal((await config({ meshConfig, values }).current()).proxyLogLevel, 'debug');
    await assert.rejects(config({ values: folder.at('none.yaml') }).current(), /none\.yaml/);
  });
});
