import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from 'node:tls';
import { type UnaryCalls, UnaryConnection } from './connection.ts';

/** The client certificate of a TLS connection; undefined where none was presented. */
export type Presented = PeerCertificate | DetailedPeerCertificate | undefined;

export interface SocketOptions extends UnaryCalls {
  readonly concurrentStreams: number;
  readonly clock: () => number;
  /** Whether a connection is to end after the call that has come: its client certificate counts no longer. */
  readonly isStale?: ((presented: Presented, authorized: boolean) => boolean) | undefined;
  /** Takes a connection whose first call is for somebody else; what came from it is in the socket again. */
  readonly handOver: (socket: TLSSocket) => void;
}

/** Serves what comes over a TLS connection whose handshake is done. */
export function serveSocket(socket: TLSSocket, options: SocketOptions): UnaryConnection {
  const { remoteAddress, remotePort, authorized } = socket;
  const certificate = socket.getPeerCertificate();
  // Without a certificate, node gives an empty object.
  const presented = Object.hasOwn(certificate, 'raw') ? certificate : undefined;
  const connection = new UnaryConnection({
    ...options,
    peer: remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort}`,
    context: { sslPeerCertificate: authorized ? presented : undefined },
    isStale: () => presented !== undefined && options.isStale?.(presented, authorized) === true,
    afterThis: process.nextTick,
    transport: {
      write(bytes) {
        // Whoever does not read its answers is not read either.
        if (!socket.destroyed && !socket.write(bytes)) socket.pause();
      },
      end: () => void socket.end(),
      handOver(received) {
        socket.removeListener('data', receive);
        socket.removeListener('drain', resume);
        socket.removeListener('close', closed);
        socket.removeListener('error', ignore);
        socket.pause();
        socket.unshift(received);
        options.handOver(socket);
      },
    },
  });
  const receive = (chunk: Buffer): void => connection.receive(chunk);
  const resume = (): void => void socket.resume();
  const closed = (): void => connection.closed();
  socket.on('data', receive);
  socket.on('drain', resume);
  socket.on('close', closed);
  socket.on('error', ignore);
  return connection;
}

/** What fails is the connection, and 'close' follows. */
function ignore(): void {}
