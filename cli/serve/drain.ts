import type { Server } from '@grpc/grpc-js';
import type { Listener } from '../../ca/service/http2/listener.ts';

/** What waits while the server drains: Envoy reconnects at once, so this is short. */
const DRAIN_MS = 1_000;

/** Ends the control plane's port: calls that are here may end, within a second. */
export async function drain(listener: Listener, server: Server): Promise<void> {
  const ended = Promise.all([listener.drain(), new Promise((resolve) => server.tryShutdown(resolve))]);
  let timer: NodeJS.Timeout | undefined;
  // grpc-js leaves connections open that still have streams; nothing waits for those.
  const enough = new Promise((resolve) => (timer = setTimeout(resolve, DRAIN_MS)));
  await Promise.race([ended, enough]);
  clearTimeout(timer);
  listener.close();
  server.forceShutdown();
}
