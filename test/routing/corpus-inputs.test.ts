import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { admit } from '../../mesh/admit/admit.ts';
import { DEFAULT_MESH_CONFIG } from '../../mesh/admit/mesh-config.ts';
import { buildSnapshot } from '../../mesh/admit/snapshot.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { documentsOf } from '../../mesh/source/load.ts';
import { staticConfig } from '../../routing/static.ts';
import { envoyOrSkip, envoyPath } from '../audit/envoy/process.ts';
import { compiledFor } from './compiled.ts';
import { corpusCases, corpusFile } from './corpora.ts';

interface Case {
  readonly id: string;
  readonly input: string;
  readonly template: boolean;
}

const run = promisify(execFile);

/** What was admitted; what is refused, and why, is the validation tests' affair. */
function snapshotOf(yaml: string): Snapshot {
  const options = { meshConfig: DEFAULT_MESH_CONFIG, defaultNamespace: 'default' };
  const { admitted } = admit(documentsOf('in.yaml', yaml).documents, options);
  return buildSnapshot(admitted, DEFAULT_MESH_CONFIG, 1, undefined, { assumePods: true }).snapshot;
}

function deployment(name: string, namespace: string, labels: Readonly<Record<string, string>>): string {
  const spec = { template: { metadata: { labels }, spec: { containers: [{ name: 'app', ports: [{ containerPort: 8080 }] }] } } };
  return `---\n${stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace }, spec })}`;
}

/** The input with a caller in each of its namespaces and a pod for each of its gateways; and the proxies that then are. */
function world(yaml: string): { readonly snapshot: Snapshot; readonly proxies: readonly string[] } {
  const bare = snapshotOf(yaml);
  const objects = [...bare.services, ...bare.virtualServices, ...bare.destinationRules, ...bare.gateways, ...bare.sidecars];
  const namespaces = new Set(['default', ...objects.map(({ meta }) => meta.namespace)]);
  const callers = [...namespaces].map((namespace) => deployment('the-caller', namespace, { app: 'the-caller' }));
  const gateways = bare.gateways.map(({ meta, selector }, at) => ({
    name: `gateway:${meta.namespace}/the-gateway-${at}`,
    yaml: deployment(`the-gateway-${at}`, meta.namespace, { ...selector, 'the-gateway': String(at) }),
  }));
  const snapshot = snapshotOf(`${yaml}\n${callers.join('')}${gateways.map((one) => one.yaml).join('')}`);
  return {
    snapshot,
    proxies: [...[...namespaces].map((namespace) => `${namespace}/the-caller`), ...gateways.map(({ name }) => name)],
  };
}

describe('corpus: inputs in the real Envoy', function () {
  this.timeout(60_000);
  const cases = (corpusCases('inputs-only') as readonly Case[]).filter(({ template }) => !template);
  let folder = '';

  before(function () {
    if (cases.length === 0) this.skip();
    envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  });

  after(() => {
    if (folder !== '') rmSync(folder, { recursive: true });
  });

  it('has cases', function () {
    if (cases.length === 0) this.skip();
  });

  for (const { id, input } of cases) {
    it(id, async () => {
      const { snapshot, proxies } = world(corpusFile('inputs-only', input) ?? '');
      for (const proxy of proxies) {
        const config = staticConfig(compiledFor(snapshot, proxy), {
          node: { id: 'test', cluster: 'test' },
          secrets: { kind: 'sds', socket: join(folder, 'sds.sock') },
          accessLog: { kind: 'grpc', address: '127.0.0.1', port: 15012, serverName: 'gatehouse' },
        });
        const file = join(folder, 'envoy.json');
        writeFileSync(file, JSON.stringify(config));
        await run(envoyPath() ?? '', ['--mode', 'validate', '-c', file, '-l', 'error']);
      }
    });
  }
});
