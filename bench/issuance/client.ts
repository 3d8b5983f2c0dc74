import { once } from 'node:events';
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from 'node:http2';

const PATH = '/istio.v1.auth.IstioCertificateService/CreateCertificate';

/** Resolves when a server has said how it speaks HTTP/2, which gRPC clients wait for before their first call. */
export async function settled(over: ClientHttp2Session): Promise<ClientHttp2Session> {
  await once(over, 'remoteSettings');
  return over;
}

/** A TLS connection of its own to the server, from any address of this machine. */
export function session(port: number, rootsPem: string, localAddress?: string): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const made = connect(`https://127.0.0.1:${port}`, {
      ca: rootsPem,
      minVersion: 'TLSv1.3',
      ...(localAddress !== undefined && { localAddress }),
    });
    made.once('error', reject);
    made.once('connect', () => resolve(made));
  });
}

// A byte of flags and four of length before a gRPC message.
const PREFIX = 5;

/**
 * One call by plain HTTP/2, which leaves more of the machine to the server than a gRPC client. Gives
 * the message that came back; rejects unless it holds a certificate.
 */
export function createCertificate(over: ClientHttp2Session, message: Buffer, token: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = over.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: PATH,
      'content-type': 'application/grpc+proto',
      te: 'trailers',
      authorization: `Bearer ${token}`,
    });
    const chunks: Buffer[] = [];
    let status = '';
    const take = (headers: IncomingHttpHeaders): void => {
      const { 'grpc-status': code, 'grpc-message': text } = headers;
      if (code !== undefined) status = `${code.toString()} ${text?.toString() ?? ''}`;
    };
    stream.on('response', take);
    stream.on('trailers', take);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('close', () => {
      const answer = Buffer.concat(chunks);
      if (status.startsWith('0 ') && answer.length > 1000) resolve(answer.subarray(PREFIX));
      else reject(new Error(`no certificate: status ${status}, ${answer.length} bytes`));
    });
    stream.end(message);
  });
}
