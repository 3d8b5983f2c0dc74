import type { Target } from './target.ts';

/** The server's own count of how late its event loop was, in ms, at the 99th of 100; undefined where it tells none. */
export async function eventLoopMs({ gatehouse }: Target): Promise<number | undefined> {
  if (gatehouse === undefined) return undefined;
  const text = await (await fetch(`http://${gatehouse.http}/metrics`)).text();
  const found = /^nodejs_eventloop_lag_p99_seconds (\S+)/m.exec(text)?.[1];
  return found === undefined ? undefined : Number(found) * 1000;
}

/** What is read is reset by reading it, in prom-client. */
export async function resetEventLoop(target: Target): Promise<void> {
  await eventLoopMs(target);
}
