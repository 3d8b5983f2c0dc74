import { isPinRefused } from './constants.ts';
import type { Handle } from './library.ts';
import { type Module, moduleAt } from './module.ts';
import { readPin } from './pin.ts';
import { keyOf, slotOf, type TokenKey } from './token.ts';
import type { Pkcs11Uri } from './uri.ts';

/** Logged-in sessions that can sign with one key. Handles die with the token: a connection is thrown away, never repaired. */
export interface Connection {
  readonly module: Module;
  readonly epoch: number;
  readonly sessions: readonly Handle[];
  readonly key: TokenKey;
  close(): Promise<void>;
}

/** As many signatures at once; more only queue in the token. */
const SESSIONS = 4;

export type Connect = () => Promise<Connection>;

/**
 * Opens connections to the key of a URI. Where the token does not answer, the module is restarted once. A PIN that was refused is
 * not tried again until its file changes, since tokens lock after a few wrong ones.
 */
export function connector(uri: Pkcs11Uri): Connect {
  let refusedPin: string | undefined;
  return async () => {
    const { pin, stamp } = await readPin(uri.pinFile);
    if (stamp === refusedPin) throw new Error(`the token refused the PIN in ${uri.pinFile}; put the right one there`);
    const module = await moduleAt(uri.module);
    const epoch = module.epoch();
    try {
      return await connect(module, uri, pin);
    } catch (error) {
      if (isPinRefused(error)) {
        refusedPin = stamp;
        throw error;
      }
      await module.restart(epoch);
      return connect(module, uri, pin);
    } finally {
      pin.fill(0);
    }
  };
}

function connect(module: Module, uri: Pkcs11Uri, pin: Buffer): Promise<Connection> {
  return module.use((library) => {
    const epoch = module.epoch();
    const sessions: Handle[] = [];
    const closeAll = () => {
      for (const session of sessions) {
        try {
          library.closeSession(session);
        } catch {
          // It ended with the token.
        }
      }
    };
    try {
      const slot = slotOf(library, uri);
      while (sessions.length < SESSIONS) sessions.push(library.openSession(slot, false));
      const [first = 0n] = sessions;
      // One login counts for all sessions of this process with the token.
      library.login(first, pin);
      const key = keyOf(library, first, uri);
      const close = () => module.use(() => (module.epoch() === epoch ? closeAll() : undefined));
      return { module, epoch, sessions, key, close };
    } catch (error) {
      closeAll();
      throw error;
    }
  });
}
