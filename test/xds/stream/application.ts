import { createServer } from 'node:http';
import { listening } from '../../routing/envoy/listening.ts';

/** An HTTP server with one answer. */
export function application(answer: string): ReturnType<typeof listening> {
  return listening(createServer((_request, response) => response.end(answer)));
}
