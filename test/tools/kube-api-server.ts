// node test/tools/kube-api-server.ts: builds the Kubernetes API server that tests use (eight CPU-minutes and 800 MB of modules at
// first), into .tools/ and for each state of its sources once.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findGo } from './go-program.ts';

const SOURCES = join(import.meta.dirname, 'kube-api-server');
const TOOLS = join(import.meta.dirname, '..', '..', '.tools');
const PREFIX = 'kube-api-server-';

/** What to run: our own program, or the servers that KUBEBUILDER_ASSETS names. */
export type KubernetesPrograms =
  | { readonly form: 'one'; readonly server: string }
  | { readonly form: 'assets'; readonly etcd: string; readonly apiServer: string; readonly kubectl: string };

/** Undefined without Go and without KUBEBUILDER_ASSETS. @throws Error when the build fails */
export function kubernetesPrograms(): KubernetesPrograms | undefined {
  const assets = process.env['KUBEBUILDER_ASSETS'];
  if (assets !== undefined && assets !== '')
    return {
      form: 'assets',
      etcd: join(assets, 'etcd'),
      apiServer: join(assets, 'kube-apiserver'),
      kubectl: join(assets, 'kubectl'),
    };
  const program = join(TOOLS, `${PREFIX}${hashOf(SOURCES)}`);
  if (!existsSync(program)) {
    const go = findGo();
    if (go === undefined) return undefined;
    build(go, program);
  }
  return { form: 'one', server: program };
}

function hashOf(folder: string): string {
  const hash = createHash('sha256').update(readFileSync(import.meta.filename));
  for (const name of readdirSync(folder).sort()) hash.update(name).update(readFileSync(join(folder, name)));
  return hash.digest('hex').slice(0, 16);
}

/** Built aside: a run that was cut off leaves no half program, and two runs do not disturb each other. */
function build(go: string, program: string): void {
  mkdirSync(TOOLS, { recursive: true });
  process.stderr.write('setup: building the Kubernetes API server for tests (once; takes minutes the first time)\n');
  const aside = `${program}.building-${process.pid}`;
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'auto' };
  const version = 'k8s.io/component-base/version';
  const flags = `-s -w -X ${version}.gitVersion=v1.34.4 -X ${version}.gitMajor=1 -X ${version}.gitMinor=34`;
  const built = spawnSync(go, ['build', '-p', '2', '-ldflags', flags, '-o', aside, '.'], {
    cwd: SOURCES,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (built.status !== 0) {
    rmSync(aside, { force: true });
    throw new Error(`the Kubernetes API server for tests cannot be built:\n${built.stderr}`);
  }
  for (const name of readdirSync(TOOLS)) {
    if (name.startsWith(PREFIX) && !name.includes('.building-')) rmSync(join(TOOLS, name), { force: true });
  }
  renameSync(aside, program);
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(kubernetesPrograms() ?? 'no Go here')}\n`);
