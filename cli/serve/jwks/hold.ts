import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { KeyKeeper } from '../../../policy/jwks/keeper.ts';
import { wantedKeys } from '../../../policy/jwks/wanted.ts';

/** How long a new snapshot waits for keys that nobody wanted before. Whatever else is in it waits too, so this is short. */
const MOST_WAIT_MS = 1_000;

/**
 * Publishes snapshots in their order, one that asks for new keys once their issuers have answered, or after a second: a
 * RequestAuthentication would otherwise begin with refusing tokens that are good. Of several that come while one waits the last is
 * published.
 */
export function heldForKeys(
  keeper: Pick<KeyKeeper, 'follow' | 'pending' | 'asked'>,
  publish: (snapshot: Snapshot) => void,
  after: (ms: number, task: () => void) => () => void,
): (snapshot: Snapshot) => void {
  let latest: Snapshot | undefined;
  let waiting = false;
  const go = (): void => {
    const snapshot = latest;
    latest = undefined;
    waiting = false;
    if (snapshot !== undefined) publish(snapshot);
  };
  return (snapshot) => {
    latest = snapshot;
    keeper.follow(wantedKeys(snapshot));
    if (waiting) return;
    if (!keeper.pending()) return go();
    waiting = true;
    let gone = false;
    const once = (): void => {
      if (gone) return;
      gone = true;
      cancel();
      go();
    };
    const cancel = after(MOST_WAIT_MS, once);
    void keeper.asked().then(once);
  };
}
