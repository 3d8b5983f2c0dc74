// A server in a process of its own, so that its memory is nobody else's. Tells its port; then answers each message with its state.
import { setImmediate } from 'node:timers/promises';
import { Server, status } from '@grpc/grpc-js';
import { grpcListener } from '../../../../ca/service/http2/listener.ts';
import { message } from './raw-fields.ts';
import type { Question, State } from './server-under-attack.ts';
import { tlsIdentity } from './tls-identity.ts';

const [largest, concurrentStreams, large] = process.argv.slice(2).map(Number);
const LARGE = message(Buffer.alloc(large ?? 0, 'x'));
const LARGEST_FRAME = 16_384;
const state = { begun: 0, working: 0 };
let release = (): void => undefined;
let released = new Promise<void>((resolve) => (release = resolve));
let look = (): void => undefined;

const identity = await tlsIdentity();
const listener = grpcListener({
  tls: { context: () => identity, onChange: () => () => undefined },
  server: new Server(),
  calls: {
    // What a call does is said by its message.
    method: async (call) => {
      state.begun++;
      state.working++;
      const asked = call.message.toString('latin1');
      if (asked === 'until cancelled') await new Promise<void>((resolve) => call.patience.onGivingUp(resolve));
      if (asked === 'until released') await released;
      state.working--;
      if (asked === 'a long error') return { code: status.INVALID_ARGUMENT, details: 'ü'.repeat(LARGEST_FRAME) };
      return { bytes: asked === 'large' ? LARGE : message(call.message) };
    },
    isOurs: () => true,
    largest: largest ?? 0,
  },
  concurrentStreams: concurrentStreams ?? 0,
  every: (_, task) => {
    look = task;
    return () => undefined;
  },
});
const port = await listener.listen('127.0.0.1', 0);
process.send?.({ port });

async function tell(): Promise<void> {
  // What the first collection finds to be unused, buffers among it, is freed after it.
  for (let collections = 0; collections < 3; collections++) {
    globalThis.gc?.();
    await setImmediate();
  }
  const { heapUsed, external } = process.memoryUsage();
  const told: State = { ...state, held: heapUsed + external };
  process.send?.(told);
}

process.on('message', (asked: Question) => {
  if (asked === 'look') look();
  if (asked === 'release') {
    release();
    released = new Promise<void>((resolve) => (release = resolve));
  }
  void tell();
});
process.on('disconnect', () => process.exit());
