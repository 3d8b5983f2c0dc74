import { constants } from 'node:crypto';
import { createServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import type { Every, ServerTls } from '../../tls/credentials.ts';
import { listenOn } from '../../tls/listen.ts';
import { MixedClients } from './mixed-clients.ts';
import type { UnaryCalls } from './unary.ts';
import { type ServedSocket, serveSocket, type SocketOptions } from './socket.ts';

export interface ListenerOptions {
  readonly tls: Pick<ServerTls, 'context' | 'onChange'>;
  /** Everything but `calls`. */
  readonly server: Server;
  readonly calls: UnaryCalls;
  /** Calls at once on a connection; must be what `server` says too. */
  readonly concurrentStreams: number;
  /** Whether a connection is to end after a call, because of the client certificate that was presented when it began. */
  readonly isStale?: SocketOptions['isStale'];
  readonly every: Every;
}

export interface Listener {
  /** Listens on one more address. Rejects where it is taken. */
  listen(host: string, port: number): Promise<number>;
  /** Listens no more, and lets calls end that are here; resolves when the last has. Does not wait for what grpc-js serves. */
  drain(): Promise<void>;
  /** Ends what is left. */
  close(): void;
}

interface Open {
  readonly connection: ServedSocket;
  /** Looks while its first call was awaited. */
  awaited: number;
  heard: number;
  /** Looks since something came. */
  quiet: number;
}

const LOOK_EVERY_MS = 5000;
/** In looks: for the first call or the last farewell, for a ping, for its answer. As the options of our grpc-js servers have it: 20 s, and 40 s more. */
const [PATIENCE, PING_AFTER, GONE_AFTER] = [2, 4, 12];

/**
 * The control plane's port: TLS 1.2 or 1.3, then HTTP/2. Connections that begin with one of `calls` are served by `UnaryConnection`, all others by
 * grpc-js. A client certificate is asked for, and one that does not verify counts as none (`authorized` is false): whether a call needs one is
 * decided for each call, since an agent's first call has none.
 */
export function grpcListener({ tls, server, calls, concurrentStreams, isStale, every }: ListenerOptions): Listener {
  // Its connections are TLS already.
  const others = server.createConnectionInjector(ServerCredentials.createInsecure());
  const clock = (): number => performance.now();
  const servers: TlsServer[] = [];
  const open = new Map<TLSSocket, Open>();
  let stopped = false;
  let emptied: (() => void) | undefined;
  const gone = (socket: TLSSocket): void => {
    open.delete(socket);
    if (open.size === 0) emptied?.();
  };
  const options = {
    ...calls,
    concurrentStreams,
    isStale,
    clock,
    mixed: new MixedClients(clock),
    handOver(socket: TLSSocket) {
      gone(socket);
      others.injectConnection(socket);
    },
  };
  const accept = (socket: TLSSocket): void => {
    // Its handshake was under way.
    if (stopped) return void socket.destroy();
    // Renegotiation costs the server more than the client (CVE-2011-1473).
    socket.disableRenegotiation();
    open.set(socket, { connection: serveSocket(socket, options), awaited: 0, heard: 0, quiet: 0 });
    socket.once('close', () => gone(socket));
  };
  const stopLooking = every(LOOK_EVERY_MS, () => {
    for (const [socket, one] of open) if (!isThere(one)) socket.destroy();
  });
  const stopFollowing = tls.onChange(() => {
    for (const one of servers) one.setSecureContext(tls.context());
  });
  const stop = (): void => {
    stopped = true;
    stopFollowing();
    for (const one of servers.splice(0)) one.close();
    for (const { connection } of open.values()) connection.goAway();
  };
  return {
    async listen(host, port) {
      const settings = {
        requestCert: true,
        rejectUnauthorized: false,
        handshakeTimeout: 10_000,
        ALPNProtocols: ['h2'],
        noDelay: true,
        // A resumed session is that of a certificate which nobody looks at again. gRPC clients resume none, and tickets cost 20 to 60 µs.
        secureOptions: constants.SSL_OP_NO_TICKET,
      };
      const made = createServer({ ...settings, ...tls.context() }, accept);
      // A client that speaks no TLS is no fault of ours.
      made.on('tlsClientError', () => undefined);
      const bound = await listenOn(made, host, port);
      servers.push(made);
      return bound;
    },
    drain() {
      stop();
      return new Promise((resolve) => {
        if (open.size === 0) resolve();
        else emptied = resolve;
      });
    },
    close() {
      stop();
      stopLooking();
      for (const socket of open.keys()) socket.destroy();
    },
  };
}

/** Counts a look at a connection, and does what is due. False where nobody can be there. */
function isThere(one: Open): boolean {
  const { connection } = one;
  if (connection.received !== one.heard) {
    one.heard = connection.received;
    one.quiet = 0;
  } else one.quiet++;
  if (connection.over) return one.quiet < PATIENCE;
  // Also where it pings: its settings are acknowledged only by whoever gets the connection, and clients do not wait for that for ever.
  if (connection.undecided) return ++one.awaited < PATIENCE || connection.giveUp();
  if (one.quiet === PING_AFTER) connection.ping();
  return one.quiet < GONE_AFTER;
}
