import type { ClientHttp2Session } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCertificate } from '../issuance/client.ts';

/** What each caller asks with. */
export interface Evidence {
  readonly messages: readonly Buffer[];
  readonly token: string;
}

/** Certificates that are asked for while something else goes on. */
export interface Asking {
  /** No more begin; resolves when all have been answered, with how long each took, in ms, in ascending order. */
  stop(): Promise<readonly number[]>;
}

function next({ messages }: Evidence, number: number): Buffer {
  const message = messages[number % messages.length];
  if (message === undefined) throw new Error('nothing to send');
  return message;
}

function stopping(): { readonly signal: AbortSignal; readonly stop: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, stop: () => controller.abort() };
}

/** So many a second, whether those before are answered or not: what a caller feels, also of a server that answers nobody for a while. */
export function paced(over: ClientHttp2Session, evidence: Evidence, perSecond: number): Asking {
  const began = performance.now();
  const took: Promise<number>[] = [];
  const { signal, stop } = stopping();
  const run = (async () => {
    for (let number = 0; !signal.aborted; number++) {
      const due = began + (number * 1000) / perSecond;
      const early = due - performance.now();
      if (early > 0) await sleep(early);
      took.push(createCertificate(over, next(evidence, number), evidence.token).then(() => performance.now() - due));
    }
  })();
  return {
    async stop() {
      stop();
      await run;
      return (await Promise.all(took)).toSorted((one, other) => one - other);
    },
  };
}

/** So many callers, each asking again as soon as it has its answer: a crowd after a restart. */
export function crowd(over: ClientHttp2Session, evidence: Evidence, callers: number): Asking {
  const took: number[] = [];
  const { signal, stop } = stopping();
  let number = 0;
  const caller = async (): Promise<void> => {
    while (!signal.aborted) {
      const began = performance.now();
      await createCertificate(over, next(evidence, number++), evidence.token);
      took.push(performance.now() - began);
    }
  };
  const all = Promise.all(Array.from({ length: callers }, caller));
  return {
    async stop() {
      stop();
      await all;
      return took.toSorted((one, other) => one - other);
    },
  };
}
