// What somebody who is inside of a pod can do past its sidecar: ask in plain text, and with certificates got by its token.
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { certificateFor } from '../mesh-certificate.ts';
import type { MeshInUse } from './mesh-under-rollout.ts';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const WAIT_MS = 15_000;

/** A certificate by a pod's token: for the pod's own account, or for another that is tried with it. */
export async function certificateOf(mesh: MeshInUse, workload: string, serviceAccount?: string): Promise<Certificate> {
  const [namespace = '', account = ''] = workload.split('/');
  const { grpc, rootCert } = mesh.authority;
  const { chain, key } = await certificateFor({
    target: grpc,
    rootCert,
    namespace,
    serviceAccount: serviceAccount ?? account,
    token: await mesh.token(workload),
  });
  return { cert: chain.join(''), key };
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
export function inPlainText(mesh: MeshInUse, workload: string, path: string, method = 'GET', port = 8080): Promise<string> {
  return conversation((connected) => connect({ host: mesh.address(workload), port }, connected), httpLine(method, path));
}

/** The same over mutual TLS with a certificate; `istio` alone makes it a connection of bytes, as a TCP port has them. */
export function overTls(
  mesh: MeshInUse,
  workload: string,
  path: string,
  certificate: Certificate,
  ALPNProtocols: readonly string[] = ['istio-http/1.1', 'istio'],
): Promise<string> {
  return conversation(
    (connected) =>
      connectTls(
        {
          host: mesh.address(workload),
          port: 8080,
          ...certificate,
          rejectUnauthorized: false,
          ALPNProtocols: [...ALPNProtocols],
        },
        connected,
      ),
    httpLine('GET', path),
  );
}
