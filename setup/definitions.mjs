// Takes the CustomResourceDefinitions of Istio and of the Gateway API into gen/crds/: their Go modules have them whole, and nothing of
// third parties is committed. Without Go they are left out: a cluster that runs Istio or the Gateway API has them already.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { progress, root } from './toolchain.mjs';

const MODULES = [
  {
    module: 'istio.io/api@v1.31.1',
    target: 'istio.yaml',
    files: () => ['kubernetes/customresourcedefinitions.gen.yaml'],
  },
  {
    module: 'sigs.k8s.io/gateway-api@v1.6.0',
    target: 'gateway-api.yaml',
    files: (folder) =>
      readdirSync(join(folder, 'config', 'crd', 'standard'))
        .filter((name) => name.startsWith('gateway.networking.k8s.io_') && !name.includes('_vap_'))
        .sort()
        .map((name) => join('config', 'crd', 'standard', name)),
  },
];

export function definitions() {
  const out = join(root, 'gen', 'crds');
  const stamp = join(out, '.stamp');
  const want = createHash('sha256')
    .update(readFileSync(new URL(import.meta.url)))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === want) return;
  const go = ['go', '/usr/local/go/bin/go'].find((path) => spawnSync(path, ['version']).status === 0);
  if (go === undefined)
    return progress("no Go here: without Istio's and the Gateway API's definitions (gatehouse install --crds own)");
  progress("taking Istio's and the Gateway API's definitions from their Go modules");
  const work = mkdtempSync(join(tmpdir(), 'gatehouse-crds-'));
  try {
    const texts = MODULES.map(({ module, target, files }) => {
      const env = { ...process.env, GOFLAGS: '-mod=mod' };
      const done = spawnSync(go, ['mod', 'download', '-json', module], { cwd: work, encoding: 'utf8', env });
      if (done.status !== 0) throw new Error(`${module}: ${done.stdout}${done.stderr}`);
      const { Dir: folder } = JSON.parse(done.stdout);
      return {
        target,
        text: files(folder)
          .map((file) => readFileSync(join(folder, file), 'utf8').trim())
          .join('\n---\n'),
      };
    });
    rmSync(out, { recursive: true, force: true });
    mkdirSync(out, { recursive: true });
    for (const { target, text } of texts) writeFileSync(join(out, target), `${text}\n`);
    writeFileSync(stamp, want);
  } catch (error) {
    progress(`the definitions could not be fetched: ${error.message}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
