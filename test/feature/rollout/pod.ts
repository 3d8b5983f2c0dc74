// What somebody who is inside of a pod can do: ask through its sidecar, past it in plain text, and with certificates got by its token.
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Reply, RunningMesh } from '../running-mesh.ts';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const WAIT_MS = 15_000;

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request through a pod's sidecar, as its application makes it: with the pod's identity. Rejects when there is no answer. */
export function throughSidecar(mesh: RunningMesh, workload: string, url: string, asked: Asked = {}): Promise<Reply> {
  const { appAddress } = mesh.workload(workload);
  const { host } = new URL(url);
  // A path with dots is sent as it is written: whoever attacks does not tidy it.
  const headers = { ...asked.headers, host, connection: 'close' };
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: appAddress, port: 15001, path: url, method: asked.method ?? 'GET', headers, timeout: WAIT_MS },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }),
        );
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`no answer from ${url} in ${WAIT_MS} ms`)));
    sent.on('error', reject);
    sent.end();
  });
}

function conversation(open: (connected: () => void) => Socket, line: string): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = open(() => socket.write(line));
    socket.setTimeout(WAIT_MS, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    socket.on('error', () => {});
    socket.on('close', () => resolve(received));
  });
}

const httpLine = (method: string, path: string): string =>
  `${method} ${path} HTTP/1.1\r\nhost: inside\r\nconnection: close\r\n\r\n`;

/** What comes back for one request straight to a workload's address, in plain text; empty: nothing. */
export function inPlainText(mesh: RunningMesh, workload: string, path: string, method = 'GET', port = 8080): Promise<string> {
  const { ip } = mesh.workload(workload);
  return conversation((connected) => connect({ host: ip, port }, connected), httpLine(method, path));
}

/** The same over mutual TLS with a certificate; `istio` alone makes it a connection of bytes, as a TCP port has them. */
export function overTls(
  mesh: RunningMesh,
  workload: string,
  path: string,
  certificate: Certificate,
  ALPNProtocols: readonly string[] = ['istio-http/1.1', 'istio'],
): Promise<string> {
  const { ip } = mesh.workload(workload);
  return conversation(
    (connected) =>
      connectTls(
        { host: ip, port: 8080, ...certificate, rejectUnauthorized: false, ALPNProtocols: [...ALPNProtocols] },
        connected,
      ),
    httpLine('GET', path),
  );
}
