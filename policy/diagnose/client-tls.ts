import type { ClientTls, DestinationRule } from '../../mesh/model/destination-rule.ts';
import { covers, type Hostname, resolveHostname } from '../../mesh/model/hostname.ts';
import { type Labels, keyOf } from '../../mesh/model/object.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { indexedBy } from '../../mesh/model/indexed-by.ts';
import { keptBy } from '../kept.ts';
import type { Survey } from './survey.ts';

/** What callers are told about TLS toward some workloads, and by which DestinationRule. */
export interface TowardTls {
  readonly mode: ClientTls['mode'] | undefined;
  readonly rule: DestinationRule | undefined;
  readonly host: Hostname;
  /** Of the Service; undefined when it holds for all of them. */
  readonly port: Port | undefined;
}

/** What DestinationRules name, for one namespace. */
interface RuleIndex {
  readonly byHost: ReadonlyMap<Hostname, DestinationRule>;
  /** Longest first. */
  readonly wildcards: readonly DestinationRule[];
}

const rulesIn = indexedBy<DestinationRule>(({ meta }) => [meta.namespace]);

const indexed = keptBy((rules: readonly DestinationRule[]): RuleIndex => {
  const byHost = new Map<Hostname, DestinationRule>();
  for (const rule of rules) if (!byHost.has(rule.host)) byHost.set(rule.host, rule);
  const wildcards = [...byHost.values()].filter(({ host }) => host.startsWith('*')).sort((a, b) => b.host.length - a.host.length);
  return { byHost, wildcards };
});

/** The DestinationRules of a namespace: the same array as long as none of them changes. */
export function destinationRulesIn({ destinationRules }: Snapshot, namespace: string): readonly DestinationRule[] {
  return rulesIn(destinationRules, namespace);
}

function indexOf({ snapshot }: Survey, namespace: string): RuleIndex {
  return indexed(destinationRulesIn(snapshot, namespace));
}

/** The rule for a host: of its own namespace, else of the root namespace, there the most specific. */
function ruleFor(survey: Survey, host: Hostname, namespace: string): DestinationRule | undefined {
  for (const home of [namespace, survey.snapshot.meshConfig.rootNamespace]) {
    const { byHost, wildcards } = indexOf(survey, home);
    const found = byHost.get(host) ?? wildcards.find((rule) => covers(rule.host, host));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A host for workloads of which no Service is known: one that a rule names after one of their labels, else one that wildcards cover. */
function guessedHosts(survey: Survey, namespace: string, labels: Labels): readonly Hostname[] {
  const { clusterDomain } = survey.snapshot.meshConfig;
  const named = Object.values(labels).flatMap((value) => {
    const host = /^[a-z0-9-]+$/.test(value) ? resolveHostname(value, namespace, clusterDomain) : undefined;
    return host !== undefined && indexOf(survey, namespace).byHost.has(host) ? [host] : [];
  });
  if (named.length > 0) return named;
  const any = resolveHostname('any-service', namespace, clusterDomain);
  return any === undefined ? [] : [any];
}

function modesOf(rule: DestinationRule | undefined, host: Hostname): readonly TowardTls[] {
  const policy = rule?.trafficPolicy;
  return [
    { mode: policy?.tls?.mode, rule, host, port: undefined },
    ...[...(policy?.portLevel ?? [])].flatMap(([port, { tls }]) =>
      tls === undefined ? [] : [{ mode: tls.mode, rule, host, port }],
    ),
  ];
}

/** How callers come to workloads with these labels, as their Services' DestinationRules say. */
export function tlsToward(
  survey: Survey,
  workload: { readonly namespace: string; readonly labels: Labels },
): readonly TowardTls[] {
  const { namespace, labels } = workload;
  const services = survey.servicesFor(workload).map(({ hostname }) => hostname);
  const hosts = services.length > 0 ? services : guessedHosts(survey, namespace, labels);
  return hosts.flatMap((host) => modesOf(ruleFor(survey, host, namespace), host));
}

export function describeRule(rule: DestinationRule): string {
  return `DestinationRule ${keyOf(rule.meta)}`;
}
