import type { Http2Session } from 'node:http2';
import { TLSSocket } from 'node:tls';
import type { Server } from '@grpc/grpc-js';
import { interceptStreams } from '../../ca/service/server-streams.ts';
import type { PeerOf } from '../../ca/tls/peer.ts';

/**
 * Sends a proxy away from a connection whose client certificate no longer counts (over, revoked, of a root that is gone) as soon
 * as it opens a stream there. The proxy has a new certificate by then, but shows it on new connections only, and would be refused on the old
 * one again and again. Streams that are open end by themselves.
 */
export function closeStaleConnections(server: Server, peerOf: PeerOf): void {
  interceptStreams(server, ({ session }, _headers, next) => {
    const stale = session !== undefined && isStale(session, peerOf);
    const result = next();
    if (stale && !session.closed && !session.destroyed) session.close();
    return result;
  });
}

function isStale({ socket }: Http2Session, peerOf: PeerOf): boolean {
  if (!(socket instanceof TLSSocket)) return false;
  const certificate = socket.getPeerCertificate();
  // Without a certificate, node gives an empty object: such a caller has a token, or nothing.
  if (!Object.hasOwn(certificate, 'raw')) return false;
  const sslPeerCertificate = socket.authorized ? certificate : undefined;
  return !peerOf({ getAuthContext: () => ({ sslPeerCertificate }) }).ok;
}
