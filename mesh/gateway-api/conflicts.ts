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

/**
 * The conflicts among listeners of one Gateway, listed by owner in order of precedence: one that conflicts with a listener
 * of an owner before it yields; of one owner's, all that conflict do.
 */
export function conflicts(owners: readonly (readonly Listener[])[]): ReadonlyMap<Listener, Conflict> {
  const found = new Map<Listener, Conflict>();
  const settled = new Map<number, Listener[]>();
  for (const listeners of owners) {
    const before = new Map([...settled].map(([port, there]) => [port, [...there]]));
    const own = Map.groupBy(listeners, ({ port }) => port);
    for (const one of listeners) {
      const among = [...(before.get(one.port) ?? []), ...(own.get(one.port) ?? []).filter((other) => other !== one)];
      const why = among.map((other) => conflict(one, other)).find((each) => each !== undefined);
      if (why === undefined) settled.set(one.port, [...(settled.get(one.port) ?? []), one]);
      else found.set(one, why);
    }
  }
  return found;
}
