import type { Http2Session } from 'node:http2';
import { TLSSocket } from 'node:tls';
import type { Server } from '@grpc/grpc-js';
import { interceptStreams } from './server-streams.ts';
import type { SocketOptions } from '../../ca/service/http2/socket.ts';
import type { PeerOf } from '../../ca/tls/peer.ts';

type IsStale = NonNullable<SocketOptions['isStale']>;

/**
 * Sends a proxy away from a connection whose client certificate no longer counts (over, revoked, of a root that is gone) as soon
 * as it opens a stream there. The proxy has a new certificate by then, but shows it on new connections only, and would be refused on the old
 * one again and again. Streams that are open end by themselves.
 */
export function closeStaleConnections(server: Server, peerOf: PeerOf): void {
  const isStale = staleBy(peerOf);
  interceptStreams(server, ({ session }, _headers, next) => {
    const ends = session !== undefined && presents(session, isStale);
    const result = next();
    if (ends && !session.closed && !session.destroyed) session.close();
    return result;
  });
}

function presents({ socket }: Http2Session, isStale: IsStale): boolean {
  if (!(socket instanceof TLSSocket)) return false;
  const certificate = socket.getPeerCertificate();
  // Without a certificate, node gives an empty object: such a caller has a token, or nothing.
  return Object.hasOwn(certificate, 'raw') && isStale(certificate, socket.authorized);
}

/** Whether a client certificate counts no longer, as TLS found it when the connection began. */
export function staleBy(peerOf: PeerOf): IsStale {
  return (certificate, authorized) =>
    !peerOf({ getAuthContext: () => (authorized ? { sslPeerCertificate: certificate } : {}) }).ok;
}
