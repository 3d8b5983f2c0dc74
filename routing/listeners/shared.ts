import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Scope } from '../scope.ts';
import type { View } from '../view.ts';
import type { Outbound } from './outbound.ts';
import { virtualServices } from '../delegates.ts';

const labelKeys = new WeakMap<Snapshot, readonly string[]>();

/** The labels of callers that some VirtualService or DestinationRule asks about: in all others, proxies of one namespace are alike. */
function labelsThatMatter(snapshot: Snapshot): readonly string[] {
  const known = labelKeys.get(snapshot);
  if (known !== undefined) return known;
  const keys = new Set([
    ...virtualServices(snapshot).flatMap(({ http }) =>
      http.flatMap(({ match }) => match.flatMap(({ sourceLabels }) => Object.keys(sourceLabels))),
    ),
    ...snapshot.virtualServices.flatMap(({ tls, tcp }) =>
      [...tls, ...tcp].flatMap(({ match }) => match.flatMap(({ sourceLabels }) => Object.keys(sourceLabels))),
    ),
    ...snapshot.destinationRules.flatMap(({ workloadSelector }) => Object.keys(workloadSelector ?? {})),
  ]);
  const sorted = [...keys].sort();
  labelKeys.set(snapshot, sorted);
  return sorted;
}

const kept = new WeakMap<View, Map<string, Outbound>>();

/** Makes what is the same for all proxies of a view that are captured alike once, and again only where their labels count. */
export function sharedOutbound(scope: Scope, make: () => Outbound): Outbound {
  const { snapshot, view, proxy } = scope;
  const labels = labelsThatMatter(snapshot).map((key) => [key, proxy.instance.labels[key] ?? null]);
  const key = JSON.stringify([proxy.instance.capture.kind, labels]);
  const known = kept.get(view) ?? new Map<string, Outbound>();
  kept.set(view, known);
  const before = known.get(key);
  if (before !== undefined) return before;
  const made = make();
  known.set(key, made);
  return made;
}
