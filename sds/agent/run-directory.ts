import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, lchown, lstat, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LONGEST_SOCKET_PATH, type Owner } from '../server/socket.ts';

/** The files of one workload. */
export interface WorkloadPaths {
  readonly directory: string;
  readonly sdsSocket: string;
  readonly adminSocket: string;
  /** The Workload API for another user, in a folder that this user can pass and only the agent can change. */
  readonly apiDirectory: string;
  readonly apiSocket: string;
  readonly bootstrap: string;
  readonly log: string;
  /** Access logs that wait for the control plane; the agent's own, beside the folder that Envoy's user may have. */
  readonly accessLogs: string;
}

/** Of the longest name in a workload's folders. */
const LONGEST_FILE = '.api/admin.sock';

/**
 * `runDir/NAMESPACE.POD/...`. A namespace has no dots, so the name is unambiguous. Where it is too long for a Unix socket, a hash stands in its place: pods may
 * have 253 characters.
 */
export function workloadPaths(runDir: string, namespace: string, pod: string): WorkloadPaths {
  const name = `${namespace}.${pod}`;
  const fits = Buffer.byteLength(join(runDir, name + LONGEST_FILE)) <= LONGEST_SOCKET_PATH;
  const directory = join(runDir, fits ? name : createHash('sha256').update(name).digest('hex').slice(0, 32));
  return {
    directory,
    sdsSocket: join(directory, 'sds.sock'),
    adminSocket: join(directory, 'admin.sock'),
    apiDirectory: `${directory}.api`,
    apiSocket: join(`${directory}.api`, 'api.sock'),
    bootstrap: join(directory, 'envoy.json'),
    log: join(directory, 'envoy.log'),
    accessLogs: `${directory}.logs`,
  };
}

/** Where a workload's application finds the Workload API, if it has a socket of its own. */
export function apiSocketOf(
  { workloadApi }: { readonly workloadApi?: Owner | undefined },
  { apiSocket }: WorkloadPaths,
): string | undefined {
  return workloadApi === undefined ? undefined : apiSocket;
}

/** Makes the folder of all workloads. Others may pass through it, and no more, where Envoys run as other users. */
export async function prepareRunDir(runDir: string, shared: boolean): Promise<void> {
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  await chmod(runDir, shared ? 0o711 : 0o700);
}

/**
 * Makes a workload's folder, or takes it back from the user it was given to, so that nothing in it can be exchanged
 * while the agent, which may be root, writes there.
 */
export async function prepareDirectory(directory: string): Promise<void> {
  await mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const found = await lstat(directory);
  if (!found.isDirectory()) throw new Error(`${directory} is not a folder`);
  const self = process.getuid?.();
  if (self === 0 && found.uid !== 0) await lchown(directory, 0, 0);
  if ((await lstat(directory)).isDirectory()) await chmod(directory, 0o700);
}

/** Makes the folder of a socket for a user who gets nothing else. */
export async function prepareApiDirectory(directory: string): Promise<void> {
  await prepareDirectory(directory);
  await chmod(directory, 0o711);
}

/** Writes a file as a whole or not at all, readable by its owner only; a link in its place is replaced, not followed. */
export async function writePrivate(path: string, content: string, owner: Owner | undefined): Promise<void> {
  const staged = `${path}.new`;
  await rm(staged, { force: true });
  const file = await open(staged, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    await file.writeFile(content);
    if (owner !== undefined) await file.chown(owner.uid, owner.gid);
  } finally {
    await file.close();
  }
  await rename(staged, path);
}

const LARGEST_LOG = 16 * 1024 * 1024;

/**
 * Sets a log aside that is long, or that another user wrote and the new owner could not continue. One old log is kept, so
 * that Envoys that are started again and again do not fill the disk.
 */
export async function rollLog(path: string, owner: Owner | undefined): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  const foreign = found.uid !== (owner?.uid ?? process.getuid?.() ?? found.uid);
  if (foreign || found.size > LARGEST_LOG) await rename(path, `${path}.1`);
}

/** Gives the finished folder to the user that Envoy runs as. */
export async function handOver(directory: string, owner: Owner | undefined): Promise<void> {
  if (owner !== undefined) await lchown(directory, owner.uid, owner.gid);
}

/** The first folder on the way to `path` that the owner cannot pass, or undefined. */
export async function closedFolder(path: string, owner: Owner): Promise<string | undefined> {
  for (let folder = path; ; folder = dirname(folder)) {
    const { uid, gid, mode } = await stat(folder);
    const mask = uid === owner.uid ? 0o100 : gid === owner.gid ? 0o010 : 0o001;
    if ((mode & mask) === 0) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}
