// Many proxies in one process, driven by the bench over its parent's channel.
import { type ClientHttp2Session, connect } from 'node:http2';
import type { Connect, Order, Tally } from './orders.ts';
import { LoadProxy, now } from './proxy.ts';

/**
 * Less than Envoy's own 16 MiB: hundreds of proxies share this one thread, and a server's keepalive ping would wait behind all that is on its
 * way to all of them until the server takes the connection for dead.
 */
const STREAM_WINDOW = 256 * 1024;
const CONNECTION_WINDOW = 1024 * 1024;

let connectTo: Connect | undefined;
let dropped: Connect | undefined;
let proxies: LoadProxy[] = [];
let sessions: ClientHttp2Session[] = [];
let ended: Record<string, number> = {};
let [configuredAt, seenAt] = [0, 0];

function open(order: Connect, index: number): Promise<ClientHttp2Session> {
  const { address, tls } = order;
  const certificate = tls?.certificates[index];
  const session = connect(`${tls === undefined ? 'http' : 'https'}://${address}`, {
    settings: { initialWindowSize: STREAM_WINDOW },
    ...(tls !== undefined &&
      certificate !== undefined && { ca: tls.roots, ...certificate, minVersion: 'TLSv1.3', ALPNProtocols: ['h2'] }),
  });
  session.on('error', (error) => count(`connection: ${error.message}`));
  return new Promise((resolve) => {
    session.once('connect', () => {
      session.setLocalWindowSize(CONNECTION_WINDOW);
      resolve(session);
    });
  });
}

function count(reason: string): void {
  ended[reason] = (ended[reason] ?? 0) + 1;
}

function tally(): Tally {
  const sum = { bytes: 0, responses: 0, resources: 0, configured: 0, open: 0, waiting: 0, lastByteAt: 0 };
  for (const proxy of proxies) {
    sum.bytes += proxy.counts.bytes;
    sum.responses += proxy.counts.responses;
    sum.resources += proxy.counts.resources;
    sum.configured += proxy.configured ? 1 : 0;
    sum.waiting += proxy.awaited === undefined ? 0 : 1;
    sum.lastByteAt = Math.max(sum.lastByteAt, proxy.lastByteAt);
  }
  sum.open = sessions.filter(({ closed }) => !closed).length;
  const { user, system } = process.cpuUsage();
  return { kind: 'tally', ...sum, configuredAt, seenAt, cpuSeconds: (user + system) / 1e6, ended };
}

function forget(): void {
  for (const { counts } of proxies) Object.assign(counts, { bytes: 0, responses: 0, resources: 0 });
  ended = {};
}

function take(order: Order): void {
  switch (order.kind) {
    case 'connect':
      connectTo = order;
      proxies = order.proxies.map(
        (proxy, index) =>
          new LoadProxy({
            proxy,
            variant: order.variant,
            bundle: order.bundle,
            remember: order.remember,
            onConfigured: () => (configuredAt = now()),
            onSeen: () => (seenAt = now()),
            onEnd: (reason) => {
              count(reason);
              if (connectTo === order) again(order, index);
            },
          }),
      );
      begin((proxy, session) => proxy.start(session));
      return;
    case 'expect':
      forget();
      seenAt = 0;
      for (const proxy of proxies)
        proxy.awaited = { types: order.types, marker: order.marker === '' ? undefined : Buffer.from(order.marker) };
      return;
    case 'count':
      return;
    case 'drop':
      forget();
      dropped = connectTo;
      connectTo = undefined;
      for (const session of sessions) session.destroy();
      sessions = [];
      return;
    case 'resume':
      forget();
      connectTo = dropped;
      configuredAt = 0;
      begin((proxy, session) => proxy.resume(session, order.withVersions));
      return;
    case 'stick':
      for (const proxy of proxies.slice(0, order.count)) proxy.stick();
      return;
    case 'unstick':
      for (const proxy of proxies) proxy.unstick();
      return;
    default:
      return order satisfies never;
  }
}

/** As a proxy does: who was refused or lost comes back a little later, with what it has. */
function again(order: Connect, index: number): void {
  setTimeout(
    () => {
      if (connectTo !== order) return;
      void open(order, index).then((session) => {
        sessions.push(session);
        proxies[index]?.resume(session, true);
      });
    },
    200 + Math.random() * 800,
  );
}

function begin(how: (proxy: LoadProxy, session: ClientHttp2Session) => void): void {
  const order = connectTo;
  if (order === undefined) return;
  proxies.forEach((proxy, index) => {
    void open(order, index).then((session) => {
      sessions.push(session);
      how(proxy, session);
    });
  });
}

process.on('message', (order: Order) => {
  take(order);
  process.send?.(tally());
});
process.on('disconnect', () => process.exit(0));
