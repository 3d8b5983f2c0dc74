import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, lstat, mkdir, open, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Svid } from '../identity/accept.ts';
import type { Owner } from '../server/socket.ts';

/** What one set of files holds; the names are those of Istio's agent (OUTPUT_CERTS). */
export interface FileSet {
  readonly certChain: string;
  readonly key: string;
  readonly rootCert: string;
}

const NAMES = Object.freeze({ certChain: 'cert-chain.pem', key: 'key.pem', rootCert: 'root-cert.pem' } as const);
/** The link to the set in force, and the prefix of the folders with sets; names as in a Kubernetes volume. */
const CURRENT = '..data';
const SET = '..set-';

export function fileSet(svid: Svid, rootsPem: string): FileSet {
  const key = svid.key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { certChain: svid.chainPem, key, rootCert: rootsPem };
}

/**
 * Replaces the set of files in `dir` as a whole, as the kubelet does with volumes: a new folder is written and synced, then the link
 * `..data` is exchanged for one to it by a rename. The names in `dir` are links through `..data`, made once, so at no moment does a
 * name lead to nothing, or `..data/key.pem` stand beside the certificate of another key, kill -9 and power cut included. A full disk leaves the old set.
 *
 * The folder must be the agent's own, and writable by nobody else: who could exchange names in it could make an agent that is root
 * write elsewhere. `owner` may read the files, no more.
 */
export async function writeSet(dir: string, set: FileSet, owner: Owner | undefined): Promise<void> {
  await prepareFolder(dir, owner !== undefined);
  const before = await readlink(join(dir, CURRENT)).catch(() => undefined);
  const name = `${SET}${randomBytes(6).toString('hex')}`;
  const staged = join(dir, `${CURRENT}.new`);
  try {
    await mkdir(join(dir, name), { mode: owner === undefined ? 0o700 : 0o755 });
    await writeFile(join(dir, name, NAMES.certChain), set.certChain, 0o644, owner);
    await writeFile(join(dir, name, NAMES.key), set.key, 0o600, owner);
    await writeFile(join(dir, name, NAMES.rootCert), set.rootCert, 0o644, owner);
    await sync(join(dir, name));
    await rm(staged, { force: true });
    await symlink(name, staged);
    await rename(staged, join(dir, CURRENT));
  } catch (error) {
    await rm(join(dir, name), { recursive: true, force: true });
    throw error;
  }
  for (const file of Object.values(NAMES)) await link(dir, file);
  await sync(dir);
  await removeOthers(dir, name, before);
}

async function prepareFolder(dir: string, shared: boolean): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const found = await lstat(dir);
  if (!found.isDirectory()) throw new Error(`${dir} is not a folder`);
  const self = process.getuid?.() ?? found.uid;
  if (found.uid !== self)
    throw new Error(`${dir} belongs to user ${found.uid}, not to the agent's (${self}); run: chown ${self} ${dir}`);
  if ((found.mode & 0o022) !== 0) throw new Error(`${dir} is writable by others; run: chmod go-w ${dir}`);
  if (shared) await chmod(dir, found.mode | 0o111);
}

async function writeFile(path: string, content: string, mode: number, owner: Owner | undefined): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, mode);
  try {
    await file.chmod(mode);
    if (owner !== undefined) await file.chown(owner.uid, owner.gid);
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes `dir/file` a link through the link to the set in force; a file in its place, from before, is replaced. */
async function link(dir: string, file: string): Promise<void> {
  const [path, target] = [join(dir, file), join(CURRENT, file)];
  if ((await readlink(path).catch(() => undefined)) === target) return;
  await rm(`${path}.new`, { force: true });
  await symlink(target, `${path}.new`);
  await rename(`${path}.new`, path);
}

/** Removes older sets, save the last: a reader may have `..data` resolved and open one file after the other. */
async function removeOthers(dir: string, current: string, last: string | undefined): Promise<void> {
  for (const name of await readdir(dir)) {
    if (name.startsWith(SET) && name !== current && name !== last) await rm(join(dir, name), { recursive: true, force: true });
  }
}

async function sync(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
