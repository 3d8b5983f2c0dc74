import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { findGo } from './go-program.ts';
import { type Go, pilotBootstrap, RECIPES, type Tool } from './recipes.ts';

export type { Tool } from './recipes.ts';

/** Kept between runs and outside of the repository: building takes minutes, once. */
const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'gatehouse-tests', 'bin');

function onPath(name: string): string | undefined {
  const folders = [CACHE, ...(process.env['PATH'] ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

const go: Go = (args, cwd, env = {}) =>
  execFileSync(findGo() ?? 'go', [...args], {
    cwd,
    // Without C: step-ca would want the headers of smart cards.
    env: { ...process.env, CGO_ENABLED: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });

/** Builds a program into the cache. @throws Error when that fails */
export function build(name: Tool): string {
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), `gh-build-${name}-`));
  // Built aside: a run that was cut off leaves no half program, and two runs do not disturb each other.
  const aside = join(CACHE, `.building-${process.pid}`);
  try {
    mkdirSync(aside, { recursive: true });
    RECIPES[name](go, work, join(aside, name));
    renameSync(join(aside, name), join(CACHE, name));
    return join(CACHE, name);
  } finally {
    rmSync(aside, { recursive: true, force: true });
    rmSync(work, { recursive: true, force: true });
  }
}

/** Vault's engine and Istio's agent are not among them: with nothing cached each takes minutes and gigabytes of modules. */
const BUILT_IN_CI: readonly Tool[] = Object.freeze(['h2spec', 'helm', 'zlint', 'step-ca']);

/**
 * Where a program is that a test needs. In CI most are built where Go is there; elsewhere a test that misses one skips by name,
 * and `node test/tools/build.ts` builds them all.
 */
export function findTool(name: Tool): string | undefined {
  const found = onPath(name);
  if (found !== undefined || process.env['CI'] === undefined || !BUILT_IN_CI.includes(name) || findGo() === undefined)
    return found;
  return build(name);
}

/** Istio's agent with its template of a bootstrap, where it has been built. */
export function findPilotAgent(): { readonly program: string; readonly template: string } | undefined {
  const program = findTool('pilot-agent');
  return program === undefined || findGo() === undefined ? undefined : { program, template: pilotBootstrap(go, tmpdir()) };
}
