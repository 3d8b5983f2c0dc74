import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Capture, CaptureBusy } from './capture.ts';
import { loopbackOnly } from './loopback-only.ts';

const LONGEST_SECONDS = 300;

/** `POST /debug/profile?seconds=N` and `POST /debug/heap`: only where the flag allows it, and only for callers on this machine. */
export function captureRoutes(app: FastifyInstance, capture: Capture | undefined): void {
  const answer = async (reply: FastifyReply, take: (from: Capture) => Promise<string>): Promise<FastifyReply> => {
    if (capture === undefined)
      return reply.code(403).send({ error: 'captures are off (start gatehouse serve with --allow-captures)' });
    try {
      return await reply.send({ file: await take(capture) });
    } catch (error) {
      return reply
        .code(error instanceof CaptureBusy ? 409 : 500)
        .send({ error: error instanceof Error ? error.message : String(error) });
    }
  };
  app.post<{ Querystring: { readonly seconds?: string } }>('/debug/profile', { onRequest: loopbackOnly }, ({ query }, reply) => {
    const seconds = Number(query.seconds ?? 10);
    if (!(seconds > 0 && seconds <= LONGEST_SECONDS))
      return reply.code(400).send({ error: `seconds must be more than 0 and at most ${LONGEST_SECONDS}` });
    return answer(reply, (from) => from.cpu(seconds));
  });
  app.post('/debug/heap', { onRequest: loopbackOnly }, (_, reply) => answer(reply, (from) => from.heap()));
}
