import type { FastifyInstance } from 'fastify';
import { formatAddress, type ListenAddress } from '../options/address.ts';

/**
 * Listens and tells where, as port 0 takes any.
 * @param option the flag that set the address, for the message when it is taken
 * @throws Error when the address is taken, with what to do about it
 */
export async function listenHttp(app: FastifyInstance, address: ListenAddress, option: string): Promise<ListenAddress> {
  try {
    await app.listen({ host: address.host, port: address.port });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot listen on ${formatAddress(address)}: ${reason} (choose another with ${option}; port 0 takes any)`, {
      cause: error,
    });
  }
  const [bound] = app.addresses();
  return { host: address.host, port: typeof bound === 'object' ? bound.port : address.port };
}
