import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { encodeFrame, FLAGS, TYPE } from './raw-frame.ts';

export interface BodyProxy {
  readonly port: number;
  close(): void;
}

const [PREFACE, HEADER] = [24, 9];
const WHOLE = FLAGS.END_STREAM | FLAGS.END_HEADERS;

/**
 * Stands before a TLS server and gives each request without a body this one: HEADERS that would end their stream go on without that flag,
 * and DATA that ends it follows. Everything else goes through as it is, both ways.
 */
export async function bodyProxy(target: number, body: Uint8Array): Promise<BodyProxy> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', ALPNProtocols: ['h2'], rejectUnauthorized: false });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('end', () => other.end());
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
    }
    upstream.on('data', (chunk: Buffer) => client.write(chunk));
    const rewrite = rewriter(body);
    client.on('data', (chunk: Buffer) => upstream.write(rewrite(chunk)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

function rewriter(body: Uint8Array): (chunk: Buffer) => Buffer {
  let rest = Buffer.alloc(0);
  let begun = false;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const out: Buffer[] = [];
    if (!begun && rest.length >= PREFACE) {
      begun = true;
      out.push(rest.subarray(0, PREFACE));
      rest = rest.subarray(PREFACE);
    }
    if (!begun) return Buffer.alloc(0);
    while (rest.length >= HEADER) {
      const end = HEADER + rest.readUIntBE(0, 3);
      if (rest.length < end) break;
      const frame = Buffer.from(rest.subarray(0, end));
      rest = rest.subarray(end);
      const flags = frame.readUInt8(4);
      out.push(frame);
      if (frame.readUInt8(3) !== TYPE.HEADERS || (flags & WHOLE) !== WHOLE) continue;
      frame.writeUInt8(flags & ~FLAGS.END_STREAM, 4);
      out.push(encodeFrame(TYPE.DATA, FLAGS.END_STREAM, frame.readUInt32BE(5), body));
    }
    return Buffer.concat(out);
  };
}
