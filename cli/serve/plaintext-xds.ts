import type { Logger } from 'pino';
import { parsed } from '../../ca/identity/parsed.ts';
import type { DiscoveryService } from '../../xds/stream/service.ts';
import { formatAddress, type ListenAddress } from '../options/address.ts';
import { grpcServer, inPlainText, listen } from './grpc-server.ts';

export interface PlaintextXds {
  readonly address: ListenAddress;
  /** Drops what is still connected: discovery must have ended its streams before. */
  close(): void;
}

/**
 * xDS without TLS, and nothing else: no certificates, no access logs, no tokens. Nobody proves an identity here, so the node id alone
 * chooses the pod, as on istiod's port 15010.
 */
export async function startPlaintextXds(address: ListenAddress, discovery: DiscoveryService, log: Logger): Promise<PlaintextXds> {
  const server = grpcServer();
  discovery.alsoOn(server, () => parsed(undefined));
  const [bound = address] = await listen(inPlainText(server), [address], '--plaintext-xds');
  log.warn(
    { address: formatAddress(bound) },
    'xDS IS SERVED IN PLAIN TEXT: whoever reaches this address may read the configuration of every pod (leave --plaintext-xds out to stop that)',
  );
  return { address: bound, close: () => server.forceShutdown() };
}
