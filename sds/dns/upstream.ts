import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { NameServer } from './resolv-conf.ts';
import { TcpMessages, tcpMessage } from './tcp-messages.ts';
import { isAnswerTo, type Query } from './wire.ts';

export type Transport = 'udp' | 'tcp';

/** Asks name servers as they are: one after another, each at most once. */
export interface Upstream {
  /** The answer, byte by byte; undefined when nobody gave one. */
  ask(query: Query, transport: Transport): Promise<Buffer | undefined>;
}

const EACH_MS = 2_000;
/** Sockets that are open at one time. */
const MOST_AT_ONCE = 512;

/** @param servers asked anew each time: a resolv.conf may change */
export function upstream(servers: () => readonly NameServer[], eachMs = EACH_MS): Upstream {
  let open = 0;
  return {
    async ask(query, transport) {
      if (open >= MOST_AT_ONCE) return undefined;
      open += 1;
      try {
        for (const server of servers()) {
          const answer = await (transport === 'udp' ? overUdp(server, query, eachMs) : overTcp(server, query, eachMs));
          if (answer !== undefined) return answer;
        }
        return undefined;
      } finally {
        open -= 1;
      }
    },
  };
}

/** A socket of its own for each question: its port is chosen by the kernel, and only the server's packets come in (RFC 5452). */
function overUdp({ host, port }: NameServer, query: Query, ms: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(host.split('%')[0] ?? '') ? 'udp6' : 'udp4');
    const end = (answer?: Buffer): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => end(), ms);
    socket.on('error', () => end());
    socket.on('message', (message) => {
      if (isAnswerTo(query, message)) end(message);
    });
    socket.connect(port, host, () => socket.send(query.bytes));
  });
}

function overTcp({ host, port }: NameServer, query: Query, ms: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const messages = new TcpMessages((message) => {
      if (isAnswerTo(query, message)) end(message);
    });
    const end = (answer?: Buffer): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end(), ms);
    socket.on('error', () => end());
    socket.on('close', () => end());
    socket.on('data', (chunk: Buffer) => messages.take(chunk));
    socket.on('connect', () => socket.write(tcpMessage(query.bytes)));
  });
}
