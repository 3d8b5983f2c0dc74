import type { Server, Socket } from 'node:net';

/**
 * Whoever calls may reset the connection when it has what it wanted, or has been refused: Envoy does both. Without a
 * listener node takes that for an uncaught error of whichever test runs then.
 */
export function surviveResets<S extends Server>(server: S): S {
  const survive = (socket: Socket) => socket.on('error', () => socket.destroy());
  // A TLS server tells of each connection twice: before the handshake, and as a socket of its own after it.
  return server.on('connection', survive).on('secureConnection', survive);
}
