import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';

/** Adds a part's own routes. Names begin with the part: `/rotation`, `/revocation/...`. */
export type AdminRoutes = (app: FastifyInstance) => void;

export interface AdminSocket {
  close(): Promise<void>;
}

/** Orders are a few names and numbers. */
const LARGEST_ORDER = 64 * 1024;

export function adminSocketPath(caDir: string): string {
  return join(caDir, 'admin.sock');
}

/**
 * The control plane's ear for commands on the same machine: JSON over HTTP on a Unix socket in the authority's folder, for
 * its owner only. Whoever can open it could as well read the authority's key, so nothing else is asked of a caller. The
 * authority must be open: its lock says that a socket from before is a dead process's.
 */
export async function startAdminSocket(caDir: string, routes: readonly AdminRoutes[], log: Logger): Promise<AdminSocket> {
  const path = adminSocketPath(caDir);
  const app = fastify({ logger: false, bodyLimit: LARGEST_ORDER });
  for (const add of routes) add(app);
  await app.ready();
  try {
    rmSync(path, { force: true });
    await listenPrivately(app, path);
    chmodSync(path, 0o600);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.error({ path, reason }, 'no orders can be taken: the admin socket cannot be opened (its path may be too long)');
  }
  return {
    async close() {
      await app.close();
      rmSync(path, { force: true });
    },
  };
}

/** Node binds a Unix socket before `listen` returns, so that there is no moment at which others could open it. */
function listenPrivately({ server }: FastifyInstance, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const mask = process.umask(0o077);
    try {
      server.listen({ path }, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}
