import type { FastifyReply, FastifyRequest } from 'fastify';
import { isLoopbackIp } from '../options/address.ts';

/** An address as sockets or `Host` headers have it: IPv4 within IPv6, IPv6 in brackets. */
function isLoopbackAddress(text: string): boolean {
  return isLoopbackIp(text.replace(/^::ffff:/i, '').replace(/^\[(.*)\]$/, '$1'));
}

/**
 * A hook for routes that are for people on this machine. They have no password, so where the address can be reached from elsewhere they answer
 * nobody there; and a name other than localhost in `Host` is a browser that was talked into asking (DNS rebinding).
 */
export async function loopbackOnly(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  const from = request.socket.remoteAddress ?? '';
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  if (isLoopbackAddress(from) && (host === 'localhost' || isLoopbackAddress(host))) return undefined;
  return reply
    .code(403)
    .send({ error: "this is only for callers on the control plane's own machine (such as kubectl port-forward)" });
}
