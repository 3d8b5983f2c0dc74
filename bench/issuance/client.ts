import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from 'node:http2';

const PATH = '/istio.v1.auth.IstioCertificateService/CreateCertificate';

/** A TLS connection of its own to the server. */
export function session(port: number, rootsPem: string): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const made = connect(`https://127.0.0.1:${port}`, { ca: rootsPem, minVersion: 'TLSv1.3' });
    made.once('error', reject);
    made.once('connect', () => resolve(made));
  });
}

/** One call by plain HTTP/2, which leaves more of the machine to the server than a gRPC client. Rejects unless a certificate came. */
export function createCertificate(over: ClientHttp2Session, message: Buffer, token: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = over.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: PATH,
      'content-type': 'application/grpc+proto',
      te: 'trailers',
      authorization: `Bearer ${token}`,
    });
    let [bytes, status] = [0, ''];
    const take = (headers: IncomingHttpHeaders): void => {
      const { 'grpc-status': code, 'grpc-message': text } = headers;
      if (code !== undefined) status = `${code.toString()} ${text?.toString() ?? ''}`;
    };
    stream.on('response', take);
    stream.on('trailers', take);
    stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
    stream.on('error', reject);
    stream.on('close', () => {
      if (status.startsWith('0 ') && bytes > 1000) resolve();
      else reject(new Error(`no certificate: status ${status}, ${bytes} bytes`));
    });
    stream.end(message);
  });
}
