import { createServer, type Server } from 'node:net';
import type { CaptureResult } from './capture.ts';
import { diesWithUs } from './dies-with-us.ts';

// Two /16 of 127/8 for each `up` on the machine, claimed by a port that stays bound while it runs: the kernel gives it
// back however the run ends.
const FIRST_BLOCK = 10;
const LAST_BLOCK = 250;
const CLAIM_PORT = 15999;

function claim(block: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    server.listen({ host: `127.${block}.255.254`, port: CLAIM_PORT, exclusive: true }, () => resolve(server));
  });
}

/** Pods on addresses of the loopback network: no privilege needed; applications name their sidecar as HTTP proxy. */
export async function explicitCapture(): Promise<CaptureResult> {
  for (let block = FIRST_BLOCK; block <= LAST_BLOCK; block += 2) {
    const server = await claim(block);
    if (server === undefined) continue;
    server.unref();
    const prefix = diesWithUs('KILL');
    return {
      ok: true,
      capture: {
        placement: { kind: 'explicit', block },
        extraAddress: undefined,
        agentDir: undefined,
        addPod: () => Promise.resolve(),
        removePod: () => Promise.resolve(),
        command: (_pod, application) => {
          const [file = application.file, ...args] = [...prefix, application.file, ...application.args];
          return { ...application, file, args };
        },
        refreshNames: () => {},
        close: () => new Promise((resolve) => server.close(() => resolve())),
      },
    };
  }
  return {
    ok: false,
    reason:
      'no addresses of 127.0.0.0/8 can be bound (all of that network works on Linux; elsewhere add aliases to the loopback device)',
  };
}
