import type { PathNormalization } from '../../mesh/model/mesh-config.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { Destination } from '../access/world.ts';
import type { ObservedCall } from '../observed/call.ts';
import type { Base, Today } from './base.ts';
import type { Alike } from './behind-services.ts';
import { type Caller, callerOf } from './caller.ts';
import { type Seen, seen, together } from './evidence.ts';
import { folding } from './fold.ts';
import { ANY_METHOD, type Did, type Operation, addTo, widest } from './operations.ts';
import { normalized, policyPath } from './path.ts';
import type { Detail, SuggestInput } from './suggestion.ts';

/** What callers did at one workload, as far as today's policies do not let them do it already. */
export interface Gathered {
  readonly destination: Destination;
  /** By who it is: `p` or `a` (address), a blank, and the value as a policy has it. */
  readonly callers: ReadonlyMap<string, Did>;
  /** Everybody with an identity whose calls went through, whoever let them in. */
  readonly all: ReadonlyMap<string, Seen>;
  /** Who may be led there by a Service, whoever lets them in. */
  readonly led: ReadonlySet<string>;
  readonly plain: ReadonlyMap<string, { readonly seen: Seen; readonly why: string; readonly granted: boolean }>;
  readonly denied: ReadonlyMap<string, { readonly seen: Seen; readonly why: string | undefined }>;
  readonly conditional: ReadonlyMap<string, { readonly seen: Seen; readonly on: readonly string[] }>;
  readonly refused: ReadonlyMap<string, { readonly seen: Seen; readonly by: string }>;
  readonly generalised: ReadonlySet<string>;
}

/** The ports that a call can have gone to: those that speak its protocol, where records do not tell. */
function portsOf(
  { port, protocol }: ObservedCall,
  { ports }: Destination,
  tell: (text: string) => void,
): readonly (number | undefined)[] {
  if (port !== undefined && port !== 0) return [port];
  const mine = ports.filter((one) => (one.protocol === 'TCP') === (protocol === 'TCP')).map((one) => one.port);
  const found = [...new Set(mine)].sort((one, other) => one - other);
  const what = protocol === 'TCP' ? 'TCP' : 'HTTP';
  tell(
    found.length === 0
      ? 'any port, where records do not tell it'
      : `port ${found.join(', ')} (${what}), where records do not tell it`,
  );
  return found.length === 0 ? [undefined] : found;
}

/** What was done as a policy can say it, before anything is put together. */
function operationsOf(
  call: ObservedCall,
  destination: Destination,
  detail: Detail,
  mode: PathNormalization,
  tell: (text: string) => void,
): readonly Operation[] {
  return portsOf(call, destination, tell).map((port) => operationAt(port, call, destination, detail, mode, tell));
}

function operationAt(
  port: number | undefined,
  call: ObservedCall,
  destination: Destination,
  detail: Detail,
  mode: PathNormalization,
  tell: (text: string) => void,
): Operation {
  const spoken = destination.ports.filter((one) => one.port === port).map(({ protocol }) => protocol);
  const tcpOnly = spoken.length > 0 && !spoken.includes('HTTP');
  if (call.protocol === 'TCP' || tcpOnly) {
    if (call.protocol !== 'TCP') tell(`port ${port}: it speaks TCP today, and rules for such ports know no methods and paths`);
    else if (spoken.includes('HTTP'))
      tell(`port ${port}: connections that were no HTTP were seen, and a rule that lets them in lets any request in`);
    return { port, method: undefined, path: undefined };
  }
  if (detail === 'caller') return { port, method: undefined, path: undefined };
  const method = call.protocol === 'GRPC' ? 'POST' : call.method;
  const isKnown = method !== undefined && method !== '' && method !== 'OTHER' && method !== '{other}';
  if (!isKnown) tell('any method, where records do not tell it (OTHER)');
  const named = isKnown ? method : ANY_METHOD;
  if (detail === 'method') return { port, method: named, path: undefined };
  const { path, generalised } = policyPath(call.path ?? '', mode);
  if (generalised !== undefined) tell(generalised);
  return { port, method: named, path };
}

const MOST_PATHS = 40;

function sum<T extends { readonly seen: Seen }>(map: Map<string, T>, key: string, value: T): void {
  const before = map.get(key);
  map.set(key, before === undefined ? value : { ...before, seen: together(before.seen, value.seen) });
}

function shown(caller: Caller): string {
  return caller.value;
}

/** What a call is as policies say it, and what today's say of it. */
interface Judged {
  readonly operations: readonly Operation[];
  /** What is generalised by that, in words. */
  readonly told: Set<string>;
  readonly today: Today;
}

/**
 * Looks through the calls to one workload.
 * @param alike those of callers that may be led there as well: what they need is theirs, and nothing is noted of what was not seen
 */
export function gather(
  destination: Destination,
  calls: readonly ObservedCall[],
  base: Base,
  input: SuggestInput,
  alike?: Alike,
): Gathered {
  const { options = {} } = input;
  const { pathNormalization } = input.snapshot.meshConfig;
  const callers = new Map<string, Map<string, { operation: Operation; seen: Seen }>>();
  const all = new Map<string, Seen>();
  const plain = new Map<string, { seen: Seen; why: string; granted: boolean }>();
  const denied = new Map<string, { seen: Seen; why: string | undefined }>();
  const conditional = new Map<string, { seen: Seen; on: readonly string[] }>();
  const refused = new Map<string, { seen: Seen; by: string }>();
  const generalised = new Set<string>();
  const ask = base.of(destination);
  const judged = (call: ObservedCall): Judged => {
    const told = new Set<string>();
    const operations = operationsOf(call, destination, options.detail ?? 'path', pathNormalization, (text) => told.add(text));
    const path = call.path === undefined ? undefined : normalized(call.path, pathNormalization);
    return { operations, told, today: ask({ ...call, path }) };
  };
  const grant = (caller: Exclude<Caller, { readonly kind: 'nobody' }>, { operations, told }: Judged, one: Seen): void => {
    if (caller.kind === 'principal' && caller.generalised !== undefined) told.add(caller.generalised);
    for (const text of told) generalised.add(text);
    const key = `${caller.kind === 'principal' ? 'p' : 'a'} ${caller.value}`;
    const did = callers.get(key) ?? new Map<string, { operation: Operation; seen: Seen }>();
    callers.set(key, did);
    for (const operation of operations) addTo(did, operation, one);
  };
  for (const call of calls) {
    const caller = callerOf(call, input.snapshot.meshConfig);
    const one = seen(call);
    if (call.decision === 'DENY') {
      sum(denied, shown(caller), { seen: one, why: call.denied });
      continue;
    }
    const of = judged(call);
    const { today } = of;
    if (caller.kind === 'principal') all.set(caller.value, together(all.get(caller.value), one));
    else if (!(today.kind === 'granted')) {
      const granted = caller.kind === 'address' && options.grantPlainText === true;
      const why = caller.kind === 'nobody' ? caller.why : 'plain text';
      sum(plain, caller.value, { seen: one, why, granted });
      if (!granted) continue;
    }
    if (today.kind === 'granted') continue;
    if (today.kind === 'conditional') {
      sum(conditional, shown(caller), { seen: one, on: today.on });
      continue;
    }
    if (today.kind === 'refused') {
      sum(refused, `${shown(caller)} ${today.by}`, { seen: one, by: today.by });
      continue;
    }
    if (caller.kind !== 'nobody') grant(caller, of, one);
  }
  const led = new Set<string>();
  for (const call of alike?.calls ?? []) {
    const caller = callerOf(call, input.snapshot.meshConfig);
    if (caller.kind !== 'principal') continue;
    led.add(caller.value);
    const of = judged(call);
    if (of.today.kind !== 'not-granted') continue;
    grant(caller, of, seen(call));
    for (const text of alike?.generalised ?? []) generalised.add(text);
  }
  const most = options.mostPaths ?? MOST_PATHS;
  const final = [...callers].map(([key, did]) => [key, widest(folding(did, most, (text) => generalised.add(text)))] as const);
  return { destination, callers: new Map(final), all, led, plain, denied, conditional, refused, generalised };
}

/** What an existing policy is known by. */
export function policyNames(
  policies: readonly { readonly meta: { readonly namespace: string; readonly name: string } }[],
): readonly string[] {
  return policies.map(({ meta }) => keyOf(meta));
}
