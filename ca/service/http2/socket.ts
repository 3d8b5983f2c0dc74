import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from 'node:tls';
import { UnaryConnection } from './connection.ts';
import { FirstCall } from './first-call.ts';
import type { MixedClients } from './mixed-clients.ts';
import { Output } from './output.ts';
import type { UnaryCalls } from './unary.ts';

export interface SocketOptions extends UnaryCalls {
  readonly concurrentStreams: number;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  /** Whether a connection is to end after the call that has come: the client certificate that it began with counts no longer. */
  readonly isStale?: ((presented: PeerCertificate | DetailedPeerCertificate, authorized: boolean) => boolean) | undefined;
  /** The clients whose first call does not say what the others will be. */
  readonly mixed?: MixedClients | undefined;
  /** Takes a connection whose first call is for others; what came from it is in the socket again. Without it, all are ours. */
  readonly handOver?: ((socket: TLSSocket) => void) | undefined;
}

/** A connection that is served here. */
export interface ServedSocket {
  /** How often something came; to tell whether the other side is there. */
  readonly received: number;
  /** Whether the first call is still awaited. */
  readonly undecided: boolean;
  /** Whether all is said, and the other side is only to close. */
  readonly over: boolean;
  /** Waits for it no longer. False where the client has not said that it speaks HTTP/2, or that it has our SETTINGS. */
  giveUp(): boolean;
  ping(): void;
  /** Takes no more calls, and ends once those that are here are answered. */
  goAway(): void;
}

/** The address of a connection that is gone. */
const UNKNOWN = 'unknown';

/** Serves what comes over a TLS connection whose handshake is done. */
export function serveSocket(socket: TLSSocket, options: SocketOptions): ServedSocket {
  let received = 0;
  let ours: UnaryConnection | undefined;
  const output = new Output(
    (bytes) => {
      // Whoever does not read its answers is not read either.
      if (!socket.destroyed && !socket.write(bytes)) socket.pause();
    },
    (task) => process.nextTick(task),
  );
  const { handOver } = options;
  let first: FirstCall | undefined =
    handOver &&
    new FirstCall({
      ...options,
      output,
      isOurs: (head) => options.isOurs(head) && options.mixed?.has(addressOf(socket)) !== true,
      decided(whose, { bytes, begun }) {
        first = undefined;
        if (whose === 'others') return give(bytes);
        ours = connectionOn(socket, output, begun, options);
        ours.receive(bytes);
      },
    });
  if (first === undefined) ours = connectionOn(socket, output, false, options);

  const receive = (chunk: Buffer): void => {
    if (ours?.over !== true) received++;
    if (ours === undefined) first?.receive(chunk);
    else ours.receive(chunk);
  };
  // A client that ends has given up its calls. It reads no more: to end in turn, as node does by itself, would be two system calls for nobody.
  const ended = (): void => void socket.destroy();
  const resume = (): void => void socket.resume();
  const closed = (): void => ours?.closed();
  const give = (bytes: Buffer): void => {
    output.flush();
    socket.removeListener('data', receive);
    socket.removeListener('drain', resume);
    socket.removeListener('end', ended);
    socket.removeListener('close', closed);
    socket.removeListener('error', ignore);
    socket.allowHalfOpen = false;
    socket.pause();
    socket.unshift(bytes);
    handOver?.(socket);
  };
  socket.allowHalfOpen = true;
  socket.on('data', receive);
  socket.on('drain', resume);
  socket.on('end', ended);
  socket.on('close', closed);
  socket.on('error', ignore);
  return {
    get received() {
      return received;
    },
    get undecided() {
      return ours === undefined;
    },
    get over() {
      return ours?.over === true;
    },
    giveUp: () => first === undefined || first.giveUp(),
    ping: () => ours?.ping(),
    goAway() {
      first?.leave();
      ours?.goAway();
    },
  };
}

function connectionOn(socket: TLSSocket, output: Output, begun: boolean, options: SocketOptions): UnaryConnection {
  const { remoteAddress, remotePort, authorized } = socket;
  const certificate = socket.getPeerCertificate();
  // Without a certificate, node gives an empty object.
  const presented = Object.hasOwn(certificate, 'raw') ? certificate : undefined;
  return new UnaryConnection({
    ...options,
    output,
    begun,
    end: () => socket.end(),
    onOtherCall: () => options.mixed?.add(addressOf(socket)),
    peer: remoteAddress === undefined ? UNKNOWN : `${remoteAddress}:${remotePort}`,
    context: { sslPeerCertificate: authorized ? presented : undefined },
    isStale: () => presented !== undefined && options.isStale?.(presented, authorized) === true,
  });
}

function addressOf({ remoteAddress = UNKNOWN }: TLSSocket): string {
  return remoteAddress;
}

/** What fails is the connection, and 'close' follows. */
function ignore(): void {}
