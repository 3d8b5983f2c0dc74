import { keyOf } from '../../mesh/model/object.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import type { Destination } from '../access/world.ts';
import type { ObservedCall } from '../observed/call.ts';
import { Base } from './base.ts';
import { alikeCalls } from './behind-services.ts';
import { evidenceOf, seen, together, type Seen } from './evidence.ts';
import { type Gathered, gather, policyNames } from './gather.ts';
import { servesOutside } from './gateways.ts';
import { Names } from './names.ts';
import { IDLE_AFTER_MS, notesOf } from './notes.ts';
import { type Did, type Operation, addTo, widest } from './operations.ts';
import { rulesOf } from './rules.ts';
import { Selectors } from './selector.ts';
import type { CallerNote, SuggestInput, SuggestedPolicy, Suggestion } from './suggestion.ts';

function byDestination(calls: readonly ObservedCall[]): ReadonlyMap<string, readonly ObservedCall[]> {
  const found = new Map<string, ObservedCall[]>();
  for (const call of calls) {
    const known = found.get(call.destination);
    if (known === undefined) found.set(call.destination, [call]);
    else known.push(call);
  }
  return found;
}

function defaultName(_namespace: string, workload: string | undefined): string {
  return workload === undefined ? 'allow-observed' : `allow-to-${workload}`;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** Several workloads as one: what was done at one of them may be done at all. */
function joined(all: readonly Gathered[]): ReadonlyMap<string, Did> {
  const found = new Map<string, Map<string, { operation: Operation; seen: Seen }>>();
  for (const { callers } of all)
    for (const [caller, did] of callers) {
      const mine = found.get(caller) ?? new Map<string, { operation: Operation; seen: Seen }>();
      found.set(caller, mine);
      for (const { operation, seen: one } of did.values()) addTo(mine, operation, one);
    }
  return new Map([...found].map(([caller, did]) => [caller, widest(did)]));
}

/** Workloads that a policy selects beside its own, and that nothing lets anybody call then: until now everybody may. */
function cutOff(
  { snapshot }: SuggestInput,
  base: Base,
  policies: readonly SuggestedPolicy[],
  selected: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const own = new Set(policies.flatMap(({ workload }) => workload ?? []));
  const spaces = new Set(policies.flatMap((policy) => (policy.workload === undefined ? [policy.namespace] : [])));
  const open = new Map(snapshot.workloads.map((workload) => [keyOf(workload), workload]));
  return [...selected].flatMap(([name, others]) =>
    others.flatMap((other) => {
      const workload = open.get(other);
      if (workload === undefined || own.has(other) || spaces.has(workload.namespace)) return [];
      if (base.grants({ ...workload, ports: [], hosts: [] }).length > 0) return [];
      return [`${name}: its policy selects ${other}, too, for which nothing is suggested: its callers would be cut off`];
    }),
  );
}

/** Everybody: a gateway's callers have no identity, or one that nobody knows beforehand. */
function everybody(calls: readonly ObservedCall[], now: number): SuggestedPolicy['rules'] {
  let all: Seen = { calls: 0, firstSeen: 0, lastSeen: 0, days: undefined };
  for (const call of calls) if (call.decision === 'ALLOW') all = all.calls === 0 ? seen(call) : together(all, seen(call));
  return [{ principals: [], ipBlocks: [], ports: [], methods: [], paths: [], evidence: evidenceOf(all, now) }];
}

/**
 * The policies of least privilege for what was seen: ALLOW policies that let in every call that went through and, beyond what
 * `generalisations` say, nothing else. Today's policies stay; only the difference to them is suggested. Where no ALLOW policy applies everybody
 * may call, which nobody decided: that counts for nothing. Pure, and the same for the same calls in any order.
 */
export function suggest(input: SuggestInput): Suggestion {
  const { snapshot, namespace, by, now, options = {} } = input;
  const isBase = options.isBase ?? (() => true);
  const base = new Base(snapshot, isBase);
  const { isLearned = () => true } = options;
  const learned = input.calls.filter(isLearned);
  const calls = byDestination(learned);
  const alike = alikeCalls(learned, snapshot);
  const workloads = new Map<string, Workload>(snapshot.workloads.map((workload) => [keyOf(workload), workload]));
  const destinations = input.destinations
    .filter((one) => workloads.has(one.name) && (namespace === undefined || one.namespace === namespace))
    .toSorted((one, other) => compare(one.name, other.name) || compare(JSON.stringify(one.labels), JSON.stringify(other.labels)));
  const times = {
    now,
    idleAfterMs: options.idleAfterMs ?? IDLE_AFTER_MS,
    observedSince: options.observedSince ?? input.calls.reduce((first, { firstSeen }) => Math.min(first, firstSeen), now),
  };
  const nameOf = options.name ?? defaultName;
  const names = new Names(policyNames(snapshot.authorizationPolicies.filter(isBase)));
  const selectors = new Selectors(snapshot);
  const policies: SuggestedPolicy[] = [];
  const notes: CallerNote[] = [];
  const generalisations: string[] = [];
  const uncovered: string[] = [];
  const tell = (about: string, texts: Iterable<string>): void => {
    for (const text of [...texts].sort(compare)) generalisations.push(`${about}: ${text}`);
  };
  const root = snapshot.meshConfig.rootNamespace;
  const selected = new Map<string, readonly string[]>();
  const add = (destination: Destination, rules: SuggestedPolicy['rules']): void => {
    const name = destination.name.slice(destination.namespace.length + 1);
    const { selector, others } = selectors.of({ namespace: destination.namespace, name, labels: destination.labels });
    const unlabelled = Object.keys(selector).length === 0;
    if (unlabelled && destination.namespace === root) {
      uncovered.push(
        `${destination.name}: it has no label to select it by, and without one a policy of ${root} is for the whole mesh`,
      );
      return;
    }
    if (unlabelled)
      tell(destination.name, ['it has no label to select it by: the policy applies to all workloads of its namespace']);
    else if (others.length > 0)
      tell(destination.name, [`its labels select ${others.join(', ')} as well: who may call it may call them`]);
    selected.set(destination.name, unlabelled ? selectors.besides(destination.name, destination.namespace) : others);
    policies.push({
      namespace: destination.namespace,
      name: names.give(destination.namespace, nameOf(destination.namespace, name)),
      workload: destination.name,
      selector,
      rules,
    });
  };
  const inNamespace = new Map<string, Gathered[]>();
  for (const destination of destinations) {
    const mine = calls.get(destination.name) ?? [];
    const grants = base.grants(destination);
    // What today's policies ask of those outside stays so.
    if (grants.length === 0 && servesOutside(snapshot, destination.labels)) {
      tell(destination.name, ['it is a gateway for callers outside of the mesh: anybody may call it']);
      add(destination, everybody(mine, now));
      continue;
    }
    const led = alike.get(destination.name);
    const gathered = gather(destination, mine, base, input, led && { ...led, calls: led.calls.filter(isLearned) });
    notes.push(...notesOf(gathered, grants, snapshot.meshConfig, times));
    for (const [key, { seen: one, by: policy }] of [...gathered.refused].sort(([a], [b]) => compare(a, b)))
      uncovered.push(
        `${destination.name}: ${one.calls} calls of ${key.slice(0, key.length - policy.length - 1)}: ${policy} denies them today`,
      );
    tell(destination.name, gathered.generalised);
    // In the root namespace one without a selector would be for the whole mesh.
    if (by === 'namespace' && destination.namespace !== root)
      inNamespace.set(destination.namespace, [...(inNamespace.get(destination.namespace) ?? []), gathered]);
    else if (grants.length === 0 || gathered.callers.size > 0) add(destination, rulesOf(gathered.callers, now));
  }
  for (const [name, all] of inNamespace) {
    const callers = joined(all);
    if (callers.size === 0 && all.every(({ destination }) => base.grants(destination).length > 0)) continue;
    const called = all.filter(({ callers: mine }) => mine.size > 0).length;
    if (called > 0 && all.length > 1)
      tell(name, [`one policy for ${all.length} workloads: what a caller did at one of them it may do at all`]);
    policies.push({
      namespace: name,
      name: names.give(name, nameOf(name, undefined)),
      workload: undefined,
      selector: {},
      rules: rulesOf(callers, now),
    });
  }
  // A policy for all workloads of a namespace is for those, too, that nobody knows of.
  const whole = new Set(policies.flatMap((policy) => (policy.workload === undefined ? [policy.namespace] : [])));
  for (const [name, mine] of [...calls].sort(([a], [b]) => compare(a, b))) {
    if (workloads.has(name) || !whole.has(name.split('/', 1)[0] ?? '')) continue;
    const count = mine.reduce((sum, call) => sum + (call.decision === 'ALLOW' ? call.count : 0), 0);
    if (count > 0)
      uncovered.push(
        `${name}: ${count} calls: the configuration has no such workload, and the policy of its namespace closes it`,
      );
  }
  uncovered.push(...cutOff(input, base, policies, selected));
  return { policies: policies.toSorted((a, b) => compare(keyOf(a), keyOf(b))), notes, generalisations, uncovered };
}
