import { execFile } from 'node:child_process';
import { lstat, mkdir, readFile, realpath, rmdir, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, sep } from 'node:path';
import { promisify } from 'node:util';
import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';

/** Shows a folder of this node in a pod. */
export interface Mounts {
  /** Read-only at `target`; done already is done. */
  bind(source: string, target: string): Promise<void>;
  /** Takes away the mount and its empty folder; gone already is done. */
  unbind(target: string): Promise<void>;
}

const run = promisify(execFile);

/**
 * Bind mounts by mount(8), which needs CAP_SYS_ADMIN, and of which other mount namespaces hear by propagation. A target is created as the
 * standard has it, and removed by rmdir alone: what is not empty is not ours to delete.
 */
export const bindMounts: Mounts = Object.freeze({
  async bind(source: string, target: string) {
    await mkdir(target, { mode: 0o750 }).catch(ignore('EEXIST'));
    if (!(await lstat(target)).isDirectory()) throw new Error(`${target} is not a folder`);
    const before = await mountAt(target);
    if (before !== undefined) {
      if (before.readOnly && (await same(source, target))) return;
      // Of an agent whose folder is gone: the pod's containers cannot see anything in it.
      await run('umount', ['--', target]);
    }
    // util-linux does it in two steps, of which the second makes it read-only: it is looked at before it is trusted.
    await run('mount', ['--bind', '-o', 'ro,nosuid,nodev,noexec', '--', source, target]);
    if ((await mountAt(target))?.readOnly === true) return;
    await run('umount', ['--', target]);
    throw new Error(`${target} cannot be mounted read-only`);
  },

  async unbind(target: string) {
    while ((await mountAt(target)) !== undefined) await run('umount', ['--', target]);
    await rmdir(target).catch(ignore('ENOENT'));
  },
});

function ignore(code: string): (error: NodeJS.ErrnoException) => void {
  return (error) => {
    if (error.code !== code) throw error;
  };
}

async function same(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([stat(one), stat(other)]);
  return a.dev === b.dev && a.ino === b.ino;
}

/** The topmost mount at a path, in this process's mount namespace (proc_pid_mountinfo(5)). */
async function mountAt(path: string): Promise<{ readonly readOnly: boolean } | undefined> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  const found = lines.map((line) => line.split(' ')).findLast(([, , , , at = '']) => unescape(at) === path);
  return found === undefined ? undefined : { readOnly: (found[5] ?? '').split(',').includes('ro') };
}

/** Blanks and backslashes stand as octal numbers there. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/**
 * A target within the kubelet's folder, and not led out of it by a link: whoever calls is root, but a slip must not unmount or shadow
 * anything else on the node. The folder above it has to be there, since the kubelet makes it.
 */
export async function checkTarget(target: string, kubeletDir: string): Promise<Parsed<string>> {
  const outside = refused(`target_path is not within ${kubeletDir}`);
  if (!isAbsolute(target) || target.includes('\0') || normalize(target) !== target || target.endsWith(sep)) return outside;
  if (!target.startsWith(kubeletDir + sep)) return outside;
  const folder = dirname(target);
  const real = await realpath(folder).catch(() => undefined);
  if (real === undefined) return refused(`${folder} is not there`);
  const inside = folder === kubeletDir ? '' : folder.slice(kubeletDir.length + 1);
  return real === join(await realpath(kubeletDir), inside) ? parsed(target) : outside;
}
