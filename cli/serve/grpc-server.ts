import { Server, type ServerCredentials } from '@grpc/grpc-js';
import { serverOptions } from '../../xds/stream/server-options.ts';
import { type ListenAddress, formatAddress } from '../options/address.ts';

/** One server for CA, xDS and access logs, so with the bounds that the most demanding of them needs: xDS. */
export function grpcServer(): Server {
  return new Server({ ...serverOptions });
}

/**
 * Listens on every address; a later one with port 0 takes the port of the first, so that all can be told in one breath.
 * @throws when an address is taken, with what to do about it
 */
export async function listen(
  server: Server,
  addresses: readonly ListenAddress[],
  credentials: ServerCredentials,
  option = '--grpc-address',
): Promise<readonly ListenAddress[]> {
  const bound: ListenAddress[] = [];
  for (const address of addresses) {
    const port = address.port === 0 ? (bound[0]?.port ?? 0) : address.port;
    bound.push({ host: address.host, port: await bind(server, { host: address.host, port }, credentials, option) });
  }
  return bound;
}

function bind(server: Server, address: ListenAddress, credentials: ServerCredentials, option: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(formatAddress(address), credentials, (error, port) => {
      if (error === null) resolve(port);
      else
        reject(
          new Error(
            `cannot listen on ${formatAddress(address)}: ${error.message} (choose another with ${option}; port 0 takes any)`,
          ),
        );
    });
  });
}
