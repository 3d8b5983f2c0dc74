import { Server, ServerCredentials } from '@grpc/grpc-js';
import { serverOptions } from '../../xds/stream/server-options.ts';
import { type ListenAddress, formatAddress } from '../options/address.ts';

/** One server for CA, xDS and access logs, so with the bounds that the most demanding of them needs: xDS. */
export function grpcServer(): Server {
  return new Server({ ...serverOptions });
}

/** Takes an address, and gives the port of it. */
export type Bind = (address: ListenAddress) => Promise<number>;

/**
 * Listens on every address; a later one with port 0 takes the port of the first, so that all can be told in one breath.
 * @throws when an address is taken, with what to do about it
 */
export async function listen(
  bind: Bind,
  addresses: readonly ListenAddress[],
  option = '--grpc-address',
): Promise<readonly ListenAddress[]> {
  const bound: ListenAddress[] = [];
  for (const address of addresses) {
    const port = address.port === 0 ? (bound[0]?.port ?? 0) : address.port;
    const wanted = { host: address.host, port };
    try {
      bound.push({ host: address.host, port: await bind(wanted) });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`cannot listen on ${formatAddress(wanted)}: ${why} (choose another with ${option}; port 0 takes any)`, {
        cause: error,
      });
    }
  }
  return bound;
}

/** Has grpc-js take addresses itself, in plain text. */
export function inPlainText(server: Server): Bind {
  return (address) =>
    new Promise((resolve, reject) => {
      server.bindAsync(formatAddress(address), ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
}
