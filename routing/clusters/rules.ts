import { covers, type Hostname } from '../../mesh/model/hostname.ts';
import { indexedBy } from '../../mesh/model/indexed-by.ts';
import type { DestinationRule } from '../../mesh/model/destination-rule.ts';
import { type Labels, selects } from '../../mesh/model/object.ts';
import type { Service, Visibility } from '../../mesh/model/service.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { Scope } from '../scope.ts';
import { visibleFrom } from '../visibility.ts';
import { destinationPolicy, type PortPolicy, portPolicy } from './traffic-policy.ts';

const NONE: readonly DestinationRule[] = Object.freeze([]);

const ANY = '*';

/** Rules by namespace and host; those of wildcards by namespace alone. */
const byHost = indexedBy<DestinationRule>(({ meta, host, demandsTls }) =>
  demandsTls === true ? [] : [`${meta.namespace} ${host}`, ...(host.startsWith('*') ? [meta.namespace] : [])],
);

const demandingTls = indexedBy<DestinationRule>(({ meta, host, demandsTls }) =>
  demandsTls === true ? [`${meta.namespace} ${host}`, ANY] : [],
);

/** Rules by host alone, those of wildcards together. */
const anywhere = indexedBy<DestinationRule>(({ host, demandsTls }) =>
  demandsTls === true ? [] : [host.startsWith('*') ? ANY : host],
);

/** Asked for each service of each view, most of which no rule is about. */
function isRuled({ destinationRules }: Snapshot, host: Hostname): boolean {
  return anywhere(destinationRules, host).length > 0 || anywhere(destinationRules, ANY).length > 0;
}

/** The rules of a namespace for the most specific host over one, as another namespace sees them. */
function specific(snapshot: Snapshot, home: string, seenFrom: string, host: Hostname): readonly DestinationRule[] {
  const { destinationRules } = snapshot;
  const seen = ({ exportTo, workloadSelector }: DestinationRule) =>
    // A rule that chooses its callers chooses them in its own namespace.
    home === seenFrom || (workloadSelector === undefined && visibleFrom(exportTo, home, seenFrom));
  const exact = byHost(destinationRules, `${home} ${host}`);
  const found = exact.length === 0 ? NONE : exact.every(seen) ? exact : exact.filter(seen);
  if (found.length > 0) return found;
  let widest: Hostname | undefined;
  for (const rule of byHost(destinationRules, home))
    if (covers(rule.host, host) && seen(rule) && rule.host.length > (widest?.length ?? 0)) widest = rule.host;
  return widest === undefined ? NONE : byHost(destinationRules, `${home} ${widest}`).filter(seen);
}

function sameVisibility(one: Visibility, other: Visibility): boolean {
  if (one.kind === 'all' || other.kind === 'all') return one.kind === other.kind;
  return one.namespaces.length === other.namespaces.length && one.namespaces.every((name) => other.namespaces.includes(name));
}

/** Rules for one host are read as one where they are exported alike; the first decides. */
function together(rules: readonly DestinationRule[]): readonly DestinationRule[] {
  const [first] = rules;
  if (first === undefined || rules.every(({ exportTo }) => exportTo === first.exportTo)) return rules;
  return rules.filter(({ exportTo }) => sameVisibility(exportTo, first.exportTo));
}

/** Rules that choose their callers by labels go before those for all callers, which say what they leave open. */
function forCaller(rules: readonly DestinationRule[], caller: Labels): readonly DestinationRule[] {
  if (!rules.some(({ workloadSelector }) => workloadSelector !== undefined)) return together(rules);
  const chosen = rules.filter(({ workloadSelector }) => workloadSelector !== undefined && selects(workloadSelector, caller));
  return [...together(chosen), ...together(rules.filter(({ workloadSelector }) => workloadSelector === undefined))];
}

/**
 * The DestinationRules that hold for a service as a caller of a namespace sees it: of that namespace, else of the service's, else of
 * the root namespace; there those of the most specific host. In snapshot order; at the end those that demand TLS of every caller.
 */
export function rulesFor(snapshot: Snapshot, service: Service, seenFrom: string, caller: Labels): readonly DestinationRule[] {
  const held = heldFor(snapshot, service, seenFrom, caller);
  if (demandingTls(snapshot.destinationRules, ANY).length === 0) return held;
  const demanding = demandingTls(snapshot.destinationRules, `${service.meta.namespace} ${service.hostname}`);
  return demanding.length === 0 ? held : [...held, ...demanding];
}

function heldFor(snapshot: Snapshot, service: Service, seenFrom: string, caller: Labels): readonly DestinationRule[] {
  if (!isRuled(snapshot, service.hostname)) return NONE;
  for (const home of new Set([seenFrom, service.meta.namespace, snapshot.meshConfig.rootNamespace])) {
    const found = specific(snapshot, home, seenFrom, service.hostname);
    const held = found.length === 0 ? NONE : forCaller(found, caller);
    if (held.length > 0) return held;
  }
  return NONE;
}

/** What DestinationRules say of one port of a service, or of a subset of it, to one caller. */
export function policyToward(scope: Scope, service: Service, port: Port, subset: string | undefined): PortPolicy {
  const { snapshot, view, proxy } = scope;
  const destination = destinationPolicy(rulesFor(snapshot, service, view.namespace, proxy.instance.labels));
  return portPolicy(
    destination,
    destination.subsets.find(({ name }) => name === subset),
    port,
  );
}
