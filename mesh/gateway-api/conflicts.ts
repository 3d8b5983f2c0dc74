import type { Listener } from '../model/gateway-api.ts';

export type Conflict = 'HostnameConflict' | 'ProtocolConflict';

/** Whether two listeners could not be told apart by what a connection says of itself (Gateway API, "Distinct Listeners"). */
function conflict(one: Listener, other: Listener): Conflict | undefined {
  if (one.port !== other.port || one.protocol === 'other' || other.protocol === 'other') return undefined;
  const sameHost = one.protocol === 'TCP' || one.hostname === other.hostname;
  if (one.protocol === other.protocol) return sameHost ? 'HostnameConflict' : undefined;
  const tls = new Set(['HTTPS', 'TLS']);
  // Names tell apart who ends TLS here and who has it passed on.
  if (tls.has(one.protocol) && tls.has(other.protocol)) return sameHost ? 'ProtocolConflict' : undefined;
  return 'ProtocolConflict';
}

const against = (one: Listener, others: readonly Listener[] = []): Conflict | undefined =>
  others.map((other) => (other === one ? undefined : conflict(one, other))).find((why) => why !== undefined);

/**
 * The conflicts among listeners of one Gateway, listed by owner in order of precedence: one that conflicts with a listener
 * of an owner before it yields; of those that an owner has left, all that conflict do.
 */
export function conflicts(owners: readonly (readonly Listener[])[]): ReadonlyMap<Listener, Conflict> {
  const found = new Map<Listener, Conflict>();
  const settled = new Map<number, Listener[]>();
  for (const listeners of owners) {
    const left = listeners.filter((one) => {
      const why = against(one, settled.get(one.port));
      if (why !== undefined) found.set(one, why);
      return why === undefined;
    });
    const own = Map.groupBy(left, ({ port }) => port);
    for (const one of left) {
      const why = against(one, own.get(one.port));
      if (why !== undefined) found.set(one, why);
    }
    for (const one of left) if (!found.has(one)) settled.set(one.port, [...(settled.get(one.port) ?? []), one]);
  }
  return found;
}
