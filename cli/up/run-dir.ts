import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isAlive, type ProcessId, processId } from './process-id.ts';

/** The files of one `up`. The authority and the audit store in it outlive the run; all else is made anew. */
export interface RunDir {
  readonly root: string;
  readonly pods: string;
  readonly tokens: string;
  readonly logs: string;
  readonly ca: string;
  readonly jwks: string;
  readonly agentConfig: string;
  readonly auditDb: string;
  readonly state: string;
}

export function runDirAt(path: string): RunDir {
  const root = resolve(path);
  return {
    root,
    pods: join(root, 'pods'),
    tokens: join(root, 'tokens'),
    logs: join(root, 'logs'),
    ca: join(root, 'ca'),
    jwks: join(root, 'jwks.json'),
    agentConfig: join(root, 'agent.yaml'),
    auditDb: join(root, 'audit.db'),
    state: join(root, 'up.json'),
  };
}

/** What a run leaves for the next one to find if it is killed. */
export interface RunState {
  readonly owner: ProcessId;
  readonly children: readonly ProcessId[];
}

function isProcessId(value: unknown): value is ProcessId {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    Number.isInteger(value.pid) &&
    'startedAt' in value &&
    typeof value.startedAt === 'string'
  );
}

export function readState(dir: RunDir): RunState | undefined {
  try {
    const content: unknown = JSON.parse(readFileSync(dir.state, 'utf8'));
    if (typeof content !== 'object' || content === null || !('owner' in content) || !isProcessId(content.owner)) return undefined;
    const children = 'children' in content && Array.isArray(content.children) ? content.children.filter(isProcessId) : [];
    return { owner: content.owner, children };
  } catch {
    return undefined;
  }
}

/** Writes a file as a whole or not at all; readers that watch the folder ignore names that begin with a dot. */
export function writeAtomically(path: string, content: string, mode = 0o600): void {
  const at = path.lastIndexOf('/');
  const staged = `${path.slice(0, at)}/.${path.slice(at + 1)}.new`;
  writeFileSync(staged, content, { mode });
  renameSync(staged, path);
}

/**
 * Takes the folder for this process: ends what a killed run left, empties what belongs to one run.
 * Returns why not, when another `up` is using it.
 */
export function claimRunDir(dir: RunDir): string | undefined {
  const before = readState(dir);
  if (before !== undefined && before.owner.pid !== process.pid && isAlive(before.owner))
    return `another gatehouse up (process ${before.owner.pid}) is using ${dir.root}; stop it or give another --run-dir`;
  for (const child of before?.children ?? []) {
    if (!isAlive(child)) continue;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  mkdirSync(dir.root, { recursive: true, mode: 0o700 });
  chmodSync(dir.root, 0o700);
  for (const folder of [dir.pods, dir.tokens, dir.logs]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { mode: 0o700 });
  }
  // Sockets, bootstraps and logs of proxies: the agent makes them anew.
  rmSync(join(dir.root, 'agent'), { recursive: true, force: true });
  recordChildren(dir, []);
  return undefined;
}

export function recordChildren(dir: RunDir, pids: Iterable<number>): void {
  const state: RunState = { owner: processId(process.pid), children: [...pids].map(processId) };
  writeAtomically(dir.state, `${JSON.stringify(state)}\n`);
}

/** Removes what belongs to this run only; keys of proxies were never here, tokens are. */
export function releaseRunDir(dir: RunDir): void {
  for (const path of [dir.tokens, dir.pods, dir.state, dir.agentConfig, dir.jwks]) rmSync(path, { recursive: true, force: true });
}
