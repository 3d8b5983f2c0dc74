import { strict as assert } from 'node:assert';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type ConnectionInjector, Server, type ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Authority } from '../../../../ca/authority.ts';
import { grpcListener, type Listener } from '../../../../ca/service/http2/listener.ts';
import type { UnaryMethod } from '../../../../ca/service/http2/unary.ts';
import { addCertificateService } from '../../../../ca/service/service.ts';
import type { World } from '../../world.ts';

/** Bearer tokens that are not looked at: such calls wait until their caller gives up, or are refused in words of many alphabets. */
export const [HELD, REFUSED] = ['hold', 'refuse'];
export const WORDS = '100 % no: ü, "ж", 日本, 🙂\n\tand more';

export const STREAM = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';

/** grpc-js's server, and which connections it was handed. */
class CountingServer extends Server {
  readonly protocols: (string | null)[] = [];

  override createConnectionInjector(credentials: ServerCredentials): ConnectionInjector {
    const injector = super.createConnectionInjector(credentials);
    return {
      ...injector,
      injectConnection: (connection) => {
        assert.ok(connection instanceof TLSSocket);
        this.protocols.push(connection.getProtocol());
        injector.injectConnection(connection);
      },
    };
  }
}

/** What the clients do, as the server sees it. */
export interface Seen {
  /** TCP connections. */
  connections: number;
  /** Calls answered with a certificate, on connections of our own. */
  issued: number;
  held: number;
  givenUp: number;
}

export interface Running {
  readonly port: number;
  readonly listener: Listener;
  readonly seen: Seen;
  /** The version of TLS of each connection that grpc-js was handed. */
  readonly protocols: readonly (string | null)[];
  /** Has the listener look at its connections, as it does every five seconds. */
  look(): void;
  /** Called after each certificate. */
  onIssued: () => void;
  close(): void;
}

/** The certificate service and a discovery stream on one port, on loopback, as the control plane has them. */
export async function serveBoth({ log }: World, authority: Authority): Promise<Running> {
  const server = new CountingServer({ 'grpc.enable_channelz': 0 });
  const plain = addCertificateService(server, { authority, log });
  addDiscovery(server);
  const seen: Seen = { connections: 0, issued: 0, held: 0, givenUp: 0 };
  let look: () => void = () => undefined;
  const method: UnaryMethod = async (call) => {
    const [authorization] = call.authorization;
    if (authorization === `Bearer ${REFUSED}`) return { code: status.PERMISSION_DENIED, details: WORDS };
    if (authorization === `Bearer ${HELD}`) {
      seen.held++;
      await new Promise<void>((resolve) => call.patience.onGivingUp(resolve));
      seen.givenUp++;
      return { code: status.CANCELLED, details: 'nobody reads this' };
    }
    const answer = await plain.method(call);
    if ('bytes' in answer) {
      seen.issued++;
      running.onIssued();
    }
    return answer;
  };
  const tls = await authority.serverCredentials({ dnsNames: ['gatehouse', 'localhost'], ipAddresses: ['127.0.0.1'] });
  const listener = grpcListener({
    tls,
    server,
    calls: { ...plain, method },
    concurrentStreams: 1000,
    every: (_, task) => {
      look = task;
      return () => undefined;
    },
  });
  const port = await listener.listen('127.0.0.1', 0);
  const count = (message: unknown): void => {
    if (typeof message !== 'object' || message === null || !('socket' in message)) return;
    if (message.socket instanceof Socket && message.socket.localPort === port) seen.connections++;
  };
  subscribe('net.server.socket', count);
  const running: Running = {
    port,
    listener,
    seen,
    protocols: server.protocols,
    look: () => look(),
    onIssued: () => undefined,
    close() {
      unsubscribe('net.server.socket', count);
      tls.close();
      listener.close();
      server.forceShutdown();
    },
  };
  return running;
}

/** Answers each request with a response that says nothing, and ends when the client does. */
function addDiscovery(server: Server): void {
  const bytes = (value: Buffer) => value;
  server.addService(
    {
      DeltaAggregatedResources: {
        path: STREAM,
        requestStream: true,
        responseStream: true,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      },
    },
    {
      DeltaAggregatedResources(stream: ServerDuplexStream<Buffer, Buffer>) {
        stream.on('data', () => stream.write(Buffer.alloc(0)));
        stream.on('end', () => stream.end());
        stream.on('error', () => undefined);
      },
    },
  );
}
