import { keyOf } from '../../mesh/model/object.ts';
import type { Destination } from '../access/world.ts';
import type { ObservedCall } from '../observed/call.ts';
import type { Base } from './base.ts';
import { type Caller, callerOf } from './caller.ts';
import { type Seen, seen, together } from './evidence.ts';
import { folding } from './fold.ts';
import { type Did, type Operation, addTo, widest } from './operations.ts';
import { policyPath } from './path.ts';
import type { Detail, SuggestInput } from './suggestion.ts';

/** What callers did at one workload, as far as today's policies do not let them do it already. */
export interface Gathered {
  readonly destination: Destination;
  /** By who it is: `p` or `a` (address), a blank, and the value as a policy has it. */
  readonly callers: ReadonlyMap<string, Did>;
  /** Everybody with an identity whose calls went through, whoever let them in. */
  readonly all: ReadonlyMap<string, Seen>;
  readonly plain: ReadonlyMap<string, { readonly seen: Seen; readonly why: string; readonly granted: boolean }>;
  readonly denied: ReadonlyMap<string, { readonly seen: Seen; readonly why: string | undefined }>;
  readonly conditional: ReadonlyMap<string, Seen>;
  readonly refused: ReadonlyMap<string, { readonly seen: Seen; readonly by: string }>;
  readonly generalised: ReadonlySet<string>;
}

/** An operation as a policy can say it, before anything is put together. */
function operationOf(
  call: ObservedCall,
  destination: Destination,
  detail: Detail,
  input: SuggestInput,
  tell: (text: string) => void,
): Operation {
  const port = call.port === undefined || call.port === 0 ? undefined : call.port;
  if (port === undefined) tell('any port, where records do not tell it');
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
  const named = isKnown ? method : undefined;
  if (detail === 'method') return { port, method: named, path: undefined };
  const { path, generalised } = policyPath(call.path ?? '', input.snapshot.meshConfig.pathNormalization);
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

/** Looks through the calls to one workload. */
export function gather(destination: Destination, calls: readonly ObservedCall[], base: Base, input: SuggestInput): Gathered {
  const { options = {} } = input;
  const callers = new Map<string, Map<string, { operation: Operation; seen: Seen }>>();
  const all = new Map<string, Seen>();
  const plain = new Map<string, { seen: Seen; why: string; granted: boolean }>();
  const denied = new Map<string, { seen: Seen; why: string | undefined }>();
  const conditional = new Map<string, Seen>();
  const refused = new Map<string, { seen: Seen; by: string }>();
  const generalised = new Set<string>();
  const governed = base.grants(destination).length > 0;
  for (const call of calls) {
    const caller = callerOf(call, input.snapshot.meshConfig);
    const one = seen(call);
    if (call.decision === 'DENY') {
      sum(denied, shown(caller), { seen: one, why: call.denied });
      continue;
    }
    const told = new Set<string>();
    const operation = operationOf(call, destination, options.detail ?? 'path', input, (text) => told.add(text));
    const today = base.today(call, operation, destination);
    if (caller.kind === 'principal') all.set(caller.value, together(all.get(caller.value), one));
    else if (!(today.kind === 'granted')) {
      const granted = caller.kind === 'address' && options.grantPlainText === true;
      const why = caller.kind === 'nobody' ? caller.why : 'plain text';
      sum(plain, caller.value, { seen: one, why, granted });
      if (!granted) continue;
    }
    if (today.kind === 'granted') continue;
    if (today.kind === 'conditional' && governed) {
      conditional.set(shown(caller), together(conditional.get(shown(caller)), one));
      continue;
    }
    if (today.kind === 'refused') {
      sum(refused, `${shown(caller)} ${today.by}`, { seen: one, by: today.by });
      continue;
    }
    if (caller.kind === 'principal' && caller.generalised !== undefined) told.add(caller.generalised);
    if (caller.kind === 'nobody') continue;
    for (const text of told) generalised.add(text);
    const key = `${caller.kind === 'principal' ? 'p' : 'a'} ${caller.value}`;
    const did = callers.get(key) ?? new Map<string, { operation: Operation; seen: Seen }>();
    callers.set(key, did);
    addTo(did, operation, one);
  }
  const most = options.mostPaths ?? MOST_PATHS;
  const final = [...callers].map(([key, did]) => [key, widest(folding(did, most, (text) => generalised.add(text)))] as const);
  return { destination, callers: new Map(final), all, plain, denied, conditional, refused, generalised };
}

/** What an existing policy is known by. */
export function policyNames(
  policies: readonly { readonly meta: { readonly namespace: string; readonly name: string } }[],
): readonly string[] {
  return policies.map(({ meta }) => keyOf(meta));
}
