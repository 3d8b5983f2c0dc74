import { chmod, lchown, rm } from 'node:fs/promises';
import { connect } from 'node:net';

/** Bytes of a Unix socket's path on Linux (sun_path, without the closing zero). */
export const LONGEST_SOCKET_PATH = 107;

/** Who owns a workload's files: the user that its Envoy runs as. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Removes a socket file that nobody listens on any more. Rejects when someone does: two agents must not share a path. */
export async function clearStaleSocket(path: string): Promise<void> {
  const live = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
  if (live) throw new Error(`${path} is in use by another process (is another agent running with this runDir?)`);
  await rm(path, { force: true });
}

/** Only the owner may connect; `anyone`: whoever reaches the folder, which then is what keeps others away. */
export async function restrictSocket(path: string, owner: Owner | undefined, anyone = false): Promise<void> {
  await chmod(path, anyone ? 0o666 : 0o600);
  if (owner !== undefined) await lchown(path, owner.uid, owner.gid);
}
