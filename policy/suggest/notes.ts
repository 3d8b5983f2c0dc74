import type { AuthorizationPolicy, PolicyMatch } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { keyOf } from '../../mesh/model/object.ts';
import { isNamespace, isPrincipal, isServiceAccount } from '../evaluate/peer.ts';
import { written } from '../evaluate/text.ts';
import { DAY_MS, type Seen, isRare, span } from './evidence.ts';
import type { Gathered } from './gather.ts';
import type { CallerNote } from './suggestion.ts';

export interface NoteTimes {
  readonly now: number;
  readonly idleAfterMs: number;
  readonly observedSince: number;
}

export const IDLE_AFTER_MS = 14 * DAY_MS;

function note(kind: CallerNote['kind'], caller: string, destination: string, seen: Seen | undefined, text: string): CallerNote {
  return {
    kind,
    caller,
    destination,
    calls: seen?.calls ?? 0,
    firstSeen: seen?.firstSeen ?? 0,
    lastSeen: seen?.lastSeen ?? 0,
    note: text,
  };
}

function values(policy: AuthorizationPolicy): readonly { readonly field: string; readonly value: PolicyMatch }[] {
  const of = (field: string, list: readonly PolicyMatch[]) => list.map((value) => ({ field, value }));
  return policy.rules.flatMap(({ from }) =>
    from.flatMap(({ principals, namespaces, serviceAccounts }) => [
      ...of('principals', principals.values),
      ...of('namespaces', namespaces.values),
      ...of('serviceAccounts', serviceAccounts.values),
    ]),
  );
}

function names(
  { field, value }: { readonly field: string; readonly value: PolicyMatch },
  id: string,
  namespace: string,
  meshConfig: MeshConfig,
): boolean {
  if (field === 'principals') return isPrincipal(value, id, meshConfig);
  return field === 'namespaces' ? isNamespace(value, id) : isServiceAccount(value, id, namespace) === true;
}

/** Whom today's policies let in and who was not seen. They stay as they are. */
function unseen(
  gathered: Gathered,
  policies: readonly AuthorizationPolicy[],
  meshConfig: MeshConfig,
  times: NoteTimes,
): readonly CallerNote[] {
  const found = new Map<string, CallerNote>();
  const { name } = gathered.destination;
  const ids = [...gathered.all.keys(), ...gathered.led];
  for (const policy of policies)
    for (const one of values(policy)) {
      if (ids.some((id) => names(one, id, policy.meta.namespace, meshConfig))) continue;
      const caller = one.field === 'principals' ? written(one.value) : `${one.field} ${written(one.value)}`;
      const text = `granted by ${keyOf(policy.meta)}, and not seen in ${span(times.now - times.observedSince)} of records; the grant is left as it is`;
      if (!found.has(caller)) found.set(caller, note('idle', caller, name, undefined, text));
    }
  return [...found.values()];
}

/** What to look at before callers are cut or kept. */
export function notesOf(
  gathered: Gathered,
  policies: readonly AuthorizationPolicy[],
  meshConfig: MeshConfig,
  times: NoteTimes,
): readonly CallerNote[] {
  const { name } = gathered.destination;
  const { now } = times;
  const observed = `observed for ${span(now - times.observedSince)}`;
  const found: CallerNote[] = [];
  for (const [caller, seen] of gathered.all) {
    const days = `on ${seen.days ?? 0} day${seen.days === 1 ? '' : 's'} of ${span(now - seen.firstSeen)}`;
    if (now - seen.lastSeen >= times.idleAfterMs)
      found.push(note('idle', caller, name, seen, `last seen ${span(now - seen.lastSeen)} ago (${observed}); kept`));
    else if (isRare(seen, now)) found.push(note('rare', caller, name, seen, `seldom seen: ${days} (${observed}); kept`));
  }
  found.push(...unseen(gathered, policies, meshConfig, times));
  for (const [caller, { seen, why, granted }] of gathered.plain) {
    const text = granted
      ? 'calls in plain text; let in by its address, which anybody there may use'
      : `${why}; not let in: STRICT mutual TLS refuses it, and a policy could name its address only`;
    found.push(note('plain-text', caller, name, seen, text));
  }
  for (const [caller, { seen, why }] of gathered.denied)
    found.push(
      note('denied', caller, name, seen, `was denied${why === undefined ? '' : ` (${why})`}; denied calls are never granted`),
    );
  for (const [caller, { seen, on }] of gathered.conditional)
    found.push(
      note(
        'conditional',
        caller,
        name,
        seen,
        `let in by today's policies depending on ${on.join(', ')}, which records do not tell; left to them`,
      ),
    );
  return found.sort((one, other) =>
    one.caller < other.caller ? -1 : one.caller > other.caller ? 1 : one.kind < other.kind ? -1 : 1,
  );
}
