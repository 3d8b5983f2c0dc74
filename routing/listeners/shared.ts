import { callerKey } from '../caller.ts';
import type { Scope } from '../scope.ts';
import type { View } from '../view.ts';
import type { Outbound } from './outbound.ts';

const kept = new WeakMap<View, Map<string, Outbound>>();

/** Makes what is the same for all proxies of a view that are captured alike once, and again only where their labels count. */
export function sharedOutbound(scope: Scope, make: () => Outbound): Outbound {
  const { snapshot, view, proxy } = scope;
  const key = `${callerKey(snapshot, proxy)} ${scope.onDemand}`;
  const known = kept.get(view) ?? new Map<string, Outbound>();
  kept.set(view, known);
  const before = known.get(key);
  if (before !== undefined) return before;
  const made = make();
  known.set(key, made);
  return made;
}
