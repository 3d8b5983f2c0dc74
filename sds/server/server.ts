import { Server, ServerCredentials } from '@grpc/grpc-js';
import { rm } from 'node:fs/promises';
import { SecretDiscoveryService } from '#gen/envoy/service/secret/v3/sds_pb.js';
import { rpc } from '../grpc.ts';
import type { SecretStore } from '../secret/store.ts';
import type { OnAccepted } from './acknowledged.ts';
import { clearStaleSocket, type Owner, restrictSocket } from './socket.ts';
import { deltaSecrets, fetchSecrets, type OnNotice, streamSecrets } from './streams.ts';

const SERVICE = {
  streamSecrets: rpc(SecretDiscoveryService.method.streamSecrets),
  deltaSecrets: rpc(SecretDiscoveryService.method.deltaSecrets),
  fetchSecrets: rpc(SecretDiscoveryService.method.fetchSecrets),
};

export interface SdsServerOptions {
  /** Where to listen; its folder must be 0700 and the owner's. */
  readonly socketPath: string;
  /** The user whose Envoy connects, where that is not ours. */
  readonly owner?: Owner | undefined;
  /** Whoever reaches the socket's folder may connect: the folder is the workload's alone, as in a volume. */
  readonly anyone?: boolean | undefined;
  readonly store: SecretStore;
  readonly onNotice: OnNotice;
  readonly onAccepted?: OnAccepted | undefined;
  /** Adds what else is served on the socket. */
  readonly addTo?: ((server: Server) => void) | undefined;
}

export interface SdsServer {
  close(): Promise<void>;
}

/**
 * Serves envoy.service.secret.v3.SecretDiscoveryService on a Unix socket. Who can open the socket is the workload: there
 * is no other authentication, as with Istio's and SPIRE's agents.
 */
export function startSdsServer(options: SdsServerOptions): Promise<SdsServer> {
  const { socketPath, store, onNotice, onAccepted, owner, anyone, addTo } = options;
  const server = newServer();
  server.addService(SERVICE, {
    streamSecrets: streamSecrets(store, onNotice, onAccepted),
    deltaSecrets: deltaSecrets(store, onNotice, onAccepted),
    fetchSecrets: fetchSecrets(store, onNotice),
  });
  addTo?.(server);
  return listen(server, socketPath, owner, anyone);
}

/** Serves on another Unix socket, for another user, only what `addTo` adds: no SDS. */
export function startApiServer(
  socketPath: string,
  owner: Owner | undefined,
  addTo: (server: Server) => void,
): Promise<SdsServer> {
  const server = newServer();
  addTo(server);
  return listen(server, socketPath, owner);
}

function newServer(): Server {
  return new Server({ 'grpc.max_receive_message_length': 256 * 1024, 'grpc.enable_channelz': 0 });
}

async function listen(server: Server, socketPath: string, owner: Owner | undefined, anyone?: boolean): Promise<SdsServer> {
  await clearStaleSocket(socketPath);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
  });
  await restrictSocket(socketPath, owner, anyone);
  return {
    async close() {
      // Streams last as long as their clients do: waiting for them to end would be waiting for ever. Without channelz, forceShutdown leaves
      // connections open, which would keep the process from ending.
      server.drain(`unix:${socketPath}`, 0);
      server.forceShutdown();
      await rm(socketPath, { force: true });
    },
  };
}
