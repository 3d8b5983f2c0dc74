import { connect, createServer, type Server } from 'node:net';
import type { CaptureOptions } from '../../kubernetes/capture/options.ts';
import type { Family } from '../../kubernetes/capture/rules.ts';

export interface Probe {
  readonly family: Family;
  readonly ok: boolean;
  readonly message: string;
}

/** Where a call of the proxy's user leads to the inbound port if the rules are there, and nowhere if they are not. */
const TARGETS = {
  4: { host: '127.0.0.6', from: '127.0.0.1', any: '0.0.0.0' },
  // From ::6 itself nothing is led anywhere.
  6: { host: '::6', from: '::1', any: '::' },
} as const;
const PROBE_PORT = 15_002;
const LIMIT_MS = 3000;

/**
 * Whether the rules are in force, seen from the traffic: needs no rights but to be the proxy's user. A call to an address of the loopback device, which the
 * rules lead to the proxy's inbound port, must arrive there.
 */
export async function probeCapture(options: CaptureOptions, family: Family): Promise<Probe> {
  const uid = process.getuid?.() ?? -1;
  const gid = process.getgid?.() ?? -1;
  if (!options.proxyUids.includes(uid) && !options.proxyGids.includes(gid))
    return {
      family,
      ok: false,
      message: `the probe must run as the proxy's user (${options.proxyUids.join(', ')}), and runs as ${uid}`,
    };
  const { host, from, any } = TARGETS[family];
  const arrived = Promise.withResolvers<boolean>();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.destroy();
    arrived.resolve(true);
  });
  const taken = await listening(server, options.inboundPort, any);
  if (taken !== undefined) return { family, ok: false, message: `port ${options.inboundPort} cannot be opened: ${taken}` };
  const timer = setTimeout(() => arrived.resolve(false), LIMIT_MS);
  const call = connect({ host, port: PROBE_PORT, localAddress: from });
  call.on('error', () => arrived.resolve(false));
  const ok = await arrived.promise;
  clearTimeout(timer);
  call.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return {
    family,
    ok,
    message: ok ? `calls are led to port ${options.inboundPort}` : 'calls are not captured: the rules are not there',
  };
}

function listening(server: Server, port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(error.message));
    server.listen({ port, host, ipv6Only: host.includes(':') }, () => resolve(undefined));
  });
}
