import { createServer, type Server } from 'node:http';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { clearStaleSocket, restrictSocket } from '../server/socket.ts';
import type { HostPort } from './config.ts';
import { agentMetrics } from './metrics.ts';
import type { AgentStatus } from './status.ts';

/** The agent's own socket in its run directory, for `gatehouse proxy secrets`; only the agent's user can open it. */
export function statusSocket(runDir: string): string {
  return join(runDir, 'agent.sock');
}

export interface Listening {
  close(): Promise<void>;
}

/** Answers GET /status with the state of all workloads, as JSON. */
export async function serveStatus(runDir: string, status: () => AgentStatus): Promise<Listening> {
  const path = statusSocket(runDir);
  await clearStaleSocket(path);
  const server = answering('/status', 'application/json', () => Promise.resolve(JSON.stringify(status())));
  await listening(server, { path });
  await restrictSocket(path, undefined);
  return {
    async close() {
      await closed(server);
      await rm(path, { force: true });
    },
  };
}

/** Answers GET /metrics in Prometheus' text format. Rejects when the address is taken. */
export async function serveMetrics(address: HostPort, status: () => AgentStatus): Promise<Listening & HostPort> {
  const registry = agentMetrics(status);
  const server = answering('/metrics', registry.contentType, () => registry.metrics());
  await listening(server, { host: address.host, port: address.port });
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
  return { host: address.host, port, close: () => closed(server) };
}

function answering(path: string, type: string, body: () => Promise<string>): Server {
  return createServer({ requestTimeout: 5000, headersTimeout: 5000, maxHeaderSize: 8192 }, (request, response) => {
    if (request.method !== 'GET' || request.url !== path) {
      response.writeHead(404).end();
      return;
    }
    body().then(
      (text) => response.writeHead(200, { 'content-type': type }).end(text),
      () => response.writeHead(500).end(),
    );
  });
}

function listening(server: Server, where: { readonly path: string } | HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
