import { REMOVAL_ORDER, TYPE_URLS } from '../resource-set.ts';
import type { TypeUrl } from '../resource-set.ts';
import { type Draft, sendParts, sendWhole, settle, underWay } from './draft.ts';
import { dueOf, sameContent, sentWhole, wantedOf } from './due.ts';
import { resourcesOf, withType } from './state.ts';
import type { TypeState } from './state.ts';

/**
 * Takes away what no longer exists, once everything else is in place. While something stands rejected, the client keeps
 * an older version of it, and what that may refer to stays as well.
 */
export function removeStale(draft: Draft, release: boolean): void {
  const { state } = draft;
  const waits = !release && (state.held || TYPE_URLS.some((type) => underWay(state, type)));
  let referredTo = false;
  for (const type of REMOVAL_ORDER) {
    const of = draft.state.types.get(type);
    if (of === undefined) continue;
    if (!referredTo) removeOf(draft, type, of, waits);
    referredTo ||= (draft.state.types.get(type)?.rejected.size ?? 0) > 0;
  }
}

function removeOf(draft: Draft, type: TypeUrl, of: TypeState, waits: boolean): void {
  const current = resourcesOf(draft.state, type);
  if (sentWhole(draft.state.variant, type)) {
    const wanted = wantedOf(of, current);
    if (of.full === undefined || sameContent(of.full, wanted)) return;
    if (waits) draft.state = { ...draft.state, held: true };
    else sendWhole(draft, type, of, wanted);
    return;
  }
  const due = dueOf(of, current);
  const { removed } = due;
  if (removed.length === 0) return;
  if (waits) {
    draft.state = { ...draft.state, held: true };
    return;
  }
  draft.state = withType(draft.state, type, {
    ...of,
    ...settle(of, current, due, { resources: [], removed }),
  });
  if (draft.state.variant === 'delta') sendParts(draft, type, [], removed);
}
