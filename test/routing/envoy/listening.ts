import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { surviveResets } from '../../survive-resets.ts';

/** A server that takes connections, and lets go of those that are open when it is closed. */
export async function listening(
  server: Server,
  address = '127.0.0.1',
  port = 0,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const open = new Set<Socket>();
  surviveResets(server).on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  server.listen(port, address);
  await once(server, 'listening');
  const at = server.address();
  if (at === null || typeof at === 'string') throw new TypeError('a TCP server has a port');
  return {
    port: at.port,
    close: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
