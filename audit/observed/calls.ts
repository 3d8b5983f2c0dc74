import type { ObservedCall, WouldDeny } from '../../policy/observed/call.ts';
import { type EdgeKey, keyText, type Tally } from '../model/edge.ts';
import { marksOfText } from '../model/mark.ts';
import { reasonOf } from '../report/reason.ts';

/** Edges of a period, as reports have them. */
interface Line {
  readonly key: EdgeKey;
  readonly tally: Tally;
}

/** On how many days there were calls of an edge, by `keyText`. */
export type DaysByKey = ReadonlyMap<string, number>;

/**
 * Whether the proxy of the destination tells of it: the one that saw the certificate, and that policies are for. A proxy that calls leave
 * from knows its own identity and no certificate of the destination's; it tells of what never arrived, or arrived where no proxy is.
 */
function isOfDestination(key: EdgeKey): boolean {
  if (key.verdict === 'unreached' || key.destinationWorkload === '') return false;
  return !(key.destinationPrincipal === '' && key.sourcePrincipal !== '' && !key.mtls);
}

function protocolOf({ protocol }: EdgeKey): ObservedCall['protocol'] {
  return protocol === 'TCP' || protocol === 'GRPC' ? protocol : 'HTTP';
}

function wouldDenyOf({ marks }: EdgeKey): readonly WouldDeny[] {
  return marksOfText(marks).flatMap((mark): readonly WouldDeny[] => {
    if (mark.kind === 'would-deny') return [{ policy: mark.by.policy, rule: mark.by.rule }];
    return mark.kind === 'would-deny-no-rule' ? [{ policy: undefined, rule: undefined }] : [];
  });
}

function refusedBy({ verdict, policy }: EdgeKey): ObservedCall['refusedBy'] {
  switch (verdict) {
    case 'denied-transport':
      return 'transport';
    case 'denied-token':
      return 'token';
    case 'denied-custom':
      return 'provider';
    case 'denied-by-rule':
      // The compiler's own rules stand in no namespace: `gatehouse-revoked` and its like.
      return policy.includes('/') ? 'policy' : 'identity';
    case 'denied-no-rule':
      return 'policy';
    case 'allowed-by-rule':
    case 'allowed-no-policy':
    case 'allowed-unnamed':
    case 'unreached':
      return undefined;
    default:
      return verdict satisfies never;
  }
}

const orNone = (text: string): string | undefined => (text === '' ? undefined : text);

/** An edge of the audit store as the call that policies judge; undefined where it did not arrive at a proxy that could judge it. */
export function observedCall({ key, tally }: Line, days?: number): ObservedCall | undefined {
  if (!isOfDestination(key)) return undefined;
  const tcp = key.protocol === 'TCP';
  const refused = refusedBy(key);
  return {
    principal: orNone(key.sourcePrincipal),
    address: orNone(key.sourceAddress),
    caller: orNone(key.sourceWorkload),
    destination: key.destinationWorkload,
    service: orNone(key.service),
    port: key.port === 0 ? undefined : key.port,
    protocol: protocolOf(key),
    method: tcp ? undefined : key.method,
    path: tcp ? undefined : key.path,
    mtls: key.mtls,
    decision: key.decision,
    denied: key.decision === 'DENY' ? reasonOf(key) : undefined,
    ...(refused === undefined ? {} : { refusedBy: refused }),
    wouldDeny: wouldDenyOf(key),
    ...(key.policy === '' ? {} : { by: { policy: key.policy, rule: key.rule < 0 ? undefined : key.rule } }),
    count: tally.count,
    firstSeen: tally.firstSeen,
    lastSeen: tally.lastSeen,
    days,
  };
}

function sum(a: ObservedCall, b: ObservedCall): ObservedCall {
  return {
    ...a,
    count: a.count + b.count,
    firstSeen: Math.min(a.firstSeen, b.firstSeen),
    lastSeen: Math.max(a.lastSeen, b.lastSeen),
    // At least so many: some days may be those of both.
    days: a.days === undefined ? b.days : Math.max(a.days, b.days ?? 0),
  };
}

/**
 * The calls that arrived, from the edges of a store or the lines of a report. Edges that policies do not tell apart (whose token it was,
 * which version of HTTP) are added up. In the order in which each comes first.
 */
export function observedCalls(lines: Iterable<Line>, days?: DaysByKey): readonly ObservedCall[] {
  const found = new Map<string, ObservedCall>();
  for (const line of lines) {
    const call = observedCall(line, days?.get(keyText(line.key)));
    if (call === undefined) continue;
    const { count: _, firstSeen: _first, lastSeen: _last, days: _days, ...kind } = call;
    const text = JSON.stringify(kind);
    const known = found.get(text);
    found.set(text, known === undefined ? call : sum(known, call));
  }
  return [...found.values()];
}
