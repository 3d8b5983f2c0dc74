import type { DestinationRule } from '../../mesh/model/destination-rule.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { foundInEach } from '../../mesh/model/found-in.ts';
import { keyOf, selects } from '../../mesh/model/object.ts';
import type { PeerAuthentication } from '../../mesh/model/peer-authentication.ts';
import { remembered } from '../../mesh/model/remembered.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { mtlsSetting, workloadMtlsSetting } from '../peer-authentication/mode.ts';
import { describeRule, tlsToward } from './client-tls.ts';
import { finding, some } from './finding.ts';
import { nameOf, type Survey } from './survey.ts';

function targetsOf(survey: Survey, { meta, selector }: PeerAuthentication): readonly Workload[] {
  return survey.workloadsIn(meta.namespace).filter(({ labels }) => selects(selector, labels));
}

/** Modes for ports that none of the workloads has. */
function idlePorts(survey: Survey, policy: PeerAuthentication): readonly Diagnostic[] {
  const targets = targetsOf(survey, policy);
  if (targets.length === 0 || targets.some((one) => survey.portsOf(one).length === 0 || survey.isGateway(one))) return [];
  return [...policy.portLevel.keys()].flatMap((port) => {
    const ports = targets.flatMap((one) => survey.portsOf(one));
    if (ports.some((one) => one.port === port)) return [];
    const meant = [...new Set(ports.filter(({ servicePorts }) => servicePorts.includes(port)).map((one) => one.port))];
    const why =
      meant.length === 0
        ? `port ${port} is none of ${some(targets.map(nameOf))}`
        : `${port} is the Service's port; modes are for the workload's own, which is ${some(meant.map(String))}`;
    return [
      finding(
        policy.meta,
        `spec.portLevelMtls["${port}"]`,
        'warning',
        meant.length === 0 ? 'unknown-port' : 'service-port',
        `${why}; this mode has no effect on Service traffic`,
        meant.length === 0
          ? `their ports are ${some([...new Set(ports.map((one) => String(one.port)))], 8)}`
          : `write ${some(meant.map(String))}`,
      ),
    ];
  });
}

/** Objects at one level, of which one counts. */
function rivals(survey: Survey): readonly Diagnostic[] {
  const levels = Map.groupBy(survey.peerAuthentications, ({ meta, selector }) => {
    const labels = Object.entries(selector).sort(([a], [b]) => (a < b ? -1 : 1));
    return JSON.stringify([meta.namespace, labels]);
  });
  return [...levels.values()].flatMap((level) => {
    const [first, ...others] = level;
    if (first === undefined) return [];
    const winner = others.reduce(
      (oldest, one) => ((one.meta.createdAt ?? Infinity) < (oldest.meta.createdAt ?? Infinity) ? one : oldest),
      first,
    );
    return level
      .filter((one) => one !== winner)
      .map((one) =>
        finding(
          one.meta,
          'spec',
          'warning',
          'same-level',
          `has no effect: PeerAuthentication ${keyOf(winner.meta)} is for the same workloads, and the oldest counts (without ages the first by name)`,
          'keep one of the two',
        ),
      );
  });
}

/** Rules by which callers come in plain text. */
const plainRules = remembered((rules: readonly DestinationRule[]) =>
  rules.filter(({ trafficPolicy }) =>
    [trafficPolicy, ...(trafficPolicy?.portLevel.values() ?? [])].some((policy) => policy?.tls?.mode === 'DISABLE'),
  ),
);

/** Workloads whose callers are told to come in plain text while they refuse it. */
function cutOff(survey: Survey): readonly Diagnostic[] {
  const found = new Map<string, { readonly diagnostic: (names: readonly string[]) => Diagnostic; readonly names: string[] }>();
  const homes = new Set(plainRules(survey.snapshot.destinationRules).map(({ meta }) => meta.namespace));
  const everywhere = homes.has(survey.snapshot.meshConfig.rootNamespace);
  for (const workload of homes.size === 0 ? [] : survey.snapshot.workloads) {
    if (!everywhere && !homes.has(workload.namespace)) continue;
    for (const { mode, rule, port, host } of tlsToward(survey, workload)) {
      if (mode !== 'DISABLE' || rule === undefined) continue;
      const own = survey
        .portsOf(workload)
        .filter(({ servicePorts }) => port === undefined || servicePorts.includes(port))
        .map((one) => mtlsSetting(survey.snapshot, workload, one.port));
      const settings = own.length > 0 ? own : [workloadMtlsSetting(survey.snapshot, workload)];
      const strict = settings.find((setting) => setting.mode === 'STRICT');
      if (strict === undefined) continue;
      const field = port === undefined ? 'spec.trafficPolicy.tls.mode' : 'spec.trafficPolicy.portLevelSettings';
      const key = `${describeRule(rule)} ${field}`;
      const entry = found.get(key) ?? {
        names: [],
        diagnostic: (names: readonly string[]) =>
          finding(
            rule.meta,
            field,
            'warning',
            'plain-text-to-strict',
            `callers of ${host} come in plain text, and ${some(names)} refuses it (PeerAuthentication ${strict.setBy ?? ''}: STRICT): every call fails`,
            'remove the tls setting (mutual TLS is found out by itself), or use ISTIO_MUTUAL',
          ),
      };
      entry.names.push(nameOf(workload));
      found.set(key, entry);
    }
  }
  return [...found.values()].map(({ diagnostic, names }) => diagnostic([...new Set(names)]));
}

const NO_PROXY = 'sidecar.istio.io/inject';

/** Workloads that say that they have no proxy, and so call in plain text. */
function withoutProxy({ labels, annotations, instances }: Workload): boolean {
  if (instances.some(({ meshed }) => meshed)) return false;
  return labels[NO_PROXY] === 'false' || annotations?.[NO_PROXY] === 'false';
}

const outsideIn = foundInEach((one: Workload) => (withoutProxy(one) ? [one] : []));

/** Callers without a proxy where some workloads take mutual TLS only. */
function outsiders(survey: Survey): readonly Diagnostic[] {
  const outside = outsideIn(survey.snapshot.workloads);
  if (outside.length === 0) return [];
  const refusing = survey.snapshot.workloads.filter(
    (one) => !withoutProxy(one) && workloadMtlsSetting(survey.snapshot, one).mode === 'STRICT',
  );
  if (refusing.length === 0) return [];
  return outside.map((one) =>
    finding(
      one.meta,
      'spec.template.metadata',
      'info',
      'caller-without-proxy',
      `has no proxy (${NO_PROXY}: "false"), so it calls in plain text, which ${some(refusing.map(nameOf))} refuses (STRICT)`,
      'give it a proxy, or let the workloads that it calls be PERMISSIVE',
    ),
  );
}

function inRoot(survey: Survey): readonly Diagnostic[] {
  const { rootNamespace } = survey.snapshot.meshConfig;
  return survey.peerAuthentications.flatMap(({ meta, selector }) =>
    meta.namespace !== rootNamespace || Object.keys(selector).length === 0
      ? []
      : [
          finding(
            meta,
            'spec.selector',
            'warning',
            'selector-in-root-namespace',
            `has no effect: in the root namespace ${rootNamespace} a PeerAuthentication is for the whole mesh, and one with a selector selects nothing`,
            "put it into the workloads' namespace, or remove the selector",
          ),
        ],
  );
}

/** PeerAuthentications that do nothing. */
export function peerAuthentication(survey: Survey): readonly Diagnostic[] {
  return [...inRoot(survey), ...rivals(survey), ...survey.peerAuthentications.flatMap((policy) => idlePorts(survey, policy))];
}

/** Callers that are cut off: a rule, or a mode, may be about workloads of many namespaces. */
export function cutOffCallers(survey: Survey): readonly Diagnostic[] {
  return [...cutOff(survey), ...outsiders(survey)];
}
