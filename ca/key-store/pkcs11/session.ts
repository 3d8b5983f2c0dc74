import { AuthorityError } from '../../root/error.ts';
import { isPinRefused } from './constants.ts';
import type { Handle, Library } from './library.ts';
import { moduleAt } from './module.ts';
import { readPin } from './pin.ts';
import { slotOf } from './token.ts';
import type { Pkcs11Uri } from './uri.ts';

/**
 * Runs a task in a session that may change the token of a URI, logged in. Where the token does not answer, the module is restarted once: it
 * may have been away, or be new, and modules look for tokens when they start.
 */
export async function inSession(uri: Pkcs11Uri, task: (library: Library, session: Handle) => void): Promise<void> {
  const { pin } = await readPin(uri.pinFile);
  const module = await moduleAt(uri.module);
  const epoch = module.epoch();
  const attempt = (): Promise<void> =>
    module.use((library) => {
      const session = library.openSession(slotOf(library, uri), true);
      try {
        library.login(session, pin);
        task(library, session);
      } finally {
        library.closeSession(session);
      }
    });
  try {
    await attempt();
  } catch (error) {
    if (error instanceof AuthorityError || isPinRefused(error)) throw error;
    await module.restart(epoch);
    await attempt();
  } finally {
    pin.fill(0);
  }
}
