import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { endedAt } from '../identity/token.ts';
import type { FileContent } from '../agent/watch-file.ts';
import type { Pod } from './volume.ts';

/** What is known of a pod across restarts. Its key is never kept. */
export interface KeptPod {
  readonly pod: Pod;
  /** Target path by volume. */
  readonly volumes: Readonly<Record<string, string>>;
}

/** File systems that are memory only (statfs(2)): tmpfs and ramfs. */
const MEMORY: readonly number[] = Object.freeze([0x01021994, 0x858458f6]);

/**
 * The pods of this node in `runDir/pods/KEY`, KEY made of the pod's UID. Tokens are kept beside them, so that a restarted agent can ask for
 * certificates at once, but only where the folder is in memory: else they are in this process alone, and a restarted one waits until the
 * kubelet brings them again.
 */
export class KeptPods {
  readonly #root: string;
  readonly #log: Logger;
  readonly #tokens = new Map<string, string>();
  #inMemory = false;

  constructor(runDir: string, log: Logger) {
    this.#root = join(runDir, 'pods');
    this.#log = log;
  }

  /** Must be called first. Resolves to the pods that an agent before this one had. */
  async open(): Promise<readonly KeptPod[]> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
    this.#inMemory = MEMORY.includes((await statfs(this.#root)).type);
    if (!this.#inMemory)
      this.#log.info({ runDir: this.#root }, 'not a file system in memory: tokens are not kept across a restart');
    const found: KeptPod[] = [];
    for (const key of (await readdir(this.#root)).sort()) {
      const kept = await readKept(join(this.#root, key, 'pod.json'));
      if (kept !== undefined && keyOf(kept.pod) === key) found.push(kept);
      else await rm(join(this.#root, key), { recursive: true, force: true });
    }
    return found;
  }

  /** What only the agent may enter. */
  folder(pod: Pod): string {
    return join(this.#root, keyOf(pod));
  }

  /** What the pod sees. */
  mounted(pod: Pod): string {
    return join(this.folder(pod), 'mount');
  }

  tokenFile(pod: Pod): string {
    return join(this.folder(pod), 'token');
  }

  async keep(kept: KeptPod): Promise<void> {
    const folder = this.folder(kept.pod);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const mounted = this.mounted(kept.pod);
    await mkdir(mounted, { recursive: true });
    // Whatever user the pod's containers have; nobody else reaches it.
    await chmod(mounted, 0o755);
    await replace(join(folder, 'pod.json'), JSON.stringify(kept));
  }

  async putToken(pod: Pod, token: string): Promise<void> {
    const file = this.tokenFile(pod);
    if (this.#tokens.get(file) === token) return;
    this.#tokens.set(file, token);
    if (this.#inMemory) await replace(file, token);
  }

  /** For the workload whose `tokenFile` it is. A token that ended is forgotten. */
  async readToken(file: string, now: number): Promise<FileContent> {
    const text = this.#tokens.get(file) ?? (this.#inMemory ? await readFile(file, 'utf8').catch(() => undefined) : undefined);
    if (text === undefined) return { ok: false, reason: "the kubelet has not brought the pod's token again" };
    if (endedAt(text, now) === undefined) return { ok: true, text };
    this.#tokens.delete(file);
    await rm(file, { force: true });
    return { ok: false, reason: "the pod's token ended, and the kubelet has brought no other" };
  }

  async forget(pod: Pod): Promise<void> {
    this.#tokens.delete(this.tokenFile(pod));
    await rm(this.folder(pod), { recursive: true, force: true });
  }
}

/** Short, since Unix sockets have short paths. */
function keyOf({ uid }: Pod): string {
  return createHash('sha256').update(uid).digest('hex').slice(0, 16);
}

async function replace(path: string, content: string): Promise<void> {
  const staged = `${path}.new`;
  await rm(staged, { force: true });
  await writeFile(staged, content, { mode: 0o600, flag: 'wx' });
  await rename(staged, path);
}

async function readKept(path: string): Promise<KeptPod | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isKept(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isKept(value: unknown): value is KeptPod {
  if (typeof value !== 'object' || value === null || !('pod' in value) || !('volumes' in value)) return false;
  const { pod, volumes } = value;
  return (
    typeof pod === 'object' &&
    pod !== null &&
    ['namespace', 'name', 'uid', 'serviceAccount'].every((name) => typeof new Map(Object.entries(pod)).get(name) === 'string') &&
    typeof volumes === 'object' &&
    volumes !== null &&
    Object.values(volumes).every((target) => typeof target === 'string')
  );
}
