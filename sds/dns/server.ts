import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { KnownNames } from './known-names.ts';
import { TcpMessages, tcpMessage } from './tcp-messages.ts';
import type { Transport, Upstream } from './upstream.ts';
import { answerOf, existing, failureOf, parseQuery, type Query, TYPE_A, TYPE_AAAA } from './wire.ts';

export interface DnsServerOptions {
  /** Loopback addresses. */
  readonly hosts: readonly string[];
  readonly port: number;
  readonly known: KnownNames;
  readonly upstream: Upstream;
  readonly log: Logger;
}

export interface DnsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Questions that wait for an answer from elsewhere, at one time: beyond that the client asks again. */
const MOST_WAITING = 1_024;
const MOST_CONNECTIONS = 256;
const IDLE_MS = 30_000;
const LARGEST_TCP = 65_535;

/**
 * Answers an application's DNS: names of the mesh with the mesh's addresses, everything else with what the pod's name servers say, byte by
 * byte. What it cannot read is not answered: the client's resolver then asks again, or says so.
 */
export async function serveDns(options: DnsServerOptions): Promise<DnsServer> {
  const { hosts, log } = options;
  const sockets: UdpSocket[] = [];
  const servers: Server[] = [];
  const connections = new Set<Socket>();
  const replies = replier(options);
  let { port } = options;
  const close = async (): Promise<void> => {
    for (const connection of connections) connection.destroy();
    await Promise.all([
      ...sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))),
      ...servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    ]);
  };
  try {
    for (const host of hosts) {
      const server = createServer((connection) => serveConnection(connection, connections, replies));
      server.maxConnections = MOST_CONNECTIONS;
      server.listen(port, host);
      await once(server, 'listening');
      servers.push(server);
      server.on('error', (error) => log.error({ error: String(error) }, 'DNS over TCP'));
      const address = server.address();
      // With port 0 the first has chosen.
      if (address !== null && typeof address === 'object') ({ port } = address);
      const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
      socket.bind(port, host);
      await once(socket, 'listening');
      sockets.push(socket);
      socket.on('error', (error) => log.error({ error: String(error) }, 'DNS over UDP'));
      socket.on('message', (message: Buffer, from: RemoteInfo) => {
        void replies(message, 'udp').then((reply) => {
          // The client may be gone.
          if (reply !== undefined) socket.send(reply, from.port, from.address, () => undefined);
        });
      });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { port, close };
}

function serveConnection(connection: Socket, all: Set<Socket>, replies: Replies): void {
  all.add(connection);
  connection.setTimeout(IDLE_MS, () => connection.destroy());
  connection.on('error', () => connection.destroy());
  connection.on('close', () => all.delete(connection));
  const messages = new TcpMessages((message) => {
    void replies(message, 'tcp').then((reply) => {
      if (reply === undefined) connection.destroy();
      else if (!connection.destroyed) connection.write(tcpMessage(reply));
    });
  });
  connection.on('data', (chunk: Buffer) => messages.take(chunk));
}

/** Never rejects. */
type Replies = (message: Buffer, transport: Transport) => Promise<Buffer | undefined>;

function replier({ known, upstream, log }: DnsServerOptions): Replies {
  let waiting = 0;
  const reply = async (query: Query, transport: Transport): Promise<Buffer> => {
    const forAddress = query.name !== '' && (query.type === TYPE_A || query.type === TYPE_AAAA);
    const addresses = forAddress ? await known.addressesOf(query.name) : known.saidOf(query.name);
    if (forAddress && addresses !== undefined)
      return answerOf(query, addresses, transport === 'udp' ? query.udpBytes : LARGEST_TCP);
    const answer = await upstream.ask(query, transport);
    if (answer === undefined) return failureOf(query);
    return addresses === undefined ? answer : existing(answer);
  };
  return async (message, transport) => {
    const query = parseQuery(message);
    if (query === undefined) return undefined;
    if (waiting >= MOST_WAITING) return failureOf(query);
    waiting += 1;
    try {
      return await reply(query, transport);
    } catch (error) {
      log.error({ error: String(error) }, 'a question about a name could not be answered');
      return failureOf(query);
    } finally {
      waiting -= 1;
    }
  };
}
