import type { AuthorizationPolicy, Rule, Source } from '../../mesh/model/authorization-policy.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { Labels } from '../../mesh/model/object.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { type MtlsSetting, mtlsSetting, workloadMtlsSetting } from '../peer-authentication/mode.ts';
import { describeRule, tlsToward } from './client-tls.ts';
import { isIdentity, type List, listsOf } from './fields.ts';
import { finding, some } from './finding.ts';
import { nameOf, type Survey } from './survey.ts';

interface Place {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly workload: Workload | undefined;
}

/** The workloads of a policy; where none is known, what its selector says of them. */
function placesOf(survey: Survey, policy: AuthorizationPolicy): readonly Place[] {
  const targets = survey.targets(policy);
  if (targets.length > 0)
    return targets.map((workload) => ({
      name: nameOf(workload),
      namespace: workload.namespace,
      labels: workload.labels,
      workload,
    }));
  const { namespace } = policy.meta;
  if (!survey.isFragment || namespace === survey.snapshot.meshConfig.rootNamespace || policy.targetRefs.length > 0) return [];
  const labels = Object.entries(policy.selector).map(([name, value]) => `${name}=${value}`);
  const name = labels.length === 0 ? `namespace ${namespace}` : `${labels.join(', ')} in namespace ${namespace}`;
  return [{ name, namespace, labels: policy.selector, workload: undefined }];
}

/** Why callers of a place come without an identity, whoever they are. */
type Reason = { readonly key: string; readonly text: string };

class Modes {
  readonly #survey: Survey;
  readonly #settings = new Map<string, readonly { readonly port: number | undefined; readonly setting: MtlsSetting }[]>();
  readonly #reasons = new Map<string, Reason | undefined>();

  constructor(survey: Survey) {
    this.#survey = survey;
  }

  settings(place: Place): readonly { readonly port: number | undefined; readonly setting: MtlsSetting }[] {
    const before = this.#settings.get(place.name);
    if (before !== undefined) return before;
    const { snapshot } = this.#survey;
    const ports = place.workload === undefined ? [] : this.#survey.portsOf(place.workload);
    const found =
      ports.length === 0
        ? [{ port: undefined, setting: workloadMtlsSetting(snapshot, place) }]
        : ports.map(({ port }) => ({ port, setting: mtlsSetting(snapshot, place, port) }));
    this.#settings.set(place.name, found);
    return found;
  }

  isPermissive(place: Place): boolean {
    return this.settings(place).some(({ setting }) => setting.mode === 'PERMISSIVE');
  }

  /** Gateways are called from outside; nobody expects mesh identities of all their callers. */
  isGateway({ workload }: Place): boolean {
    return workload !== undefined && this.#survey.isGateway(workload);
  }

  /** Undefined when callers of the mesh use mutual TLS there. */
  withoutMtls(place: Place): Reason | undefined {
    if (this.#reasons.has(place.name)) return this.#reasons.get(place.name);
    const found = this.#withoutMtls(place);
    this.#reasons.set(place.name, found);
    return found;
  }

  #withoutMtls(place: Place): Reason | undefined {
    const off = this.settings(place).find(({ setting }) => setting.mode === 'DISABLE');
    if (off !== undefined) {
      const by = off.setting.setBy ?? '';
      const port = off.port === undefined ? '' : ` on port ${off.port}`;
      return { key: `P ${by}`, text: `PeerAuthentication ${by} turns mutual TLS off${port}` };
    }
    const toward = tlsToward(this.#survey, place);
    const plain = toward.find(({ mode }) => mode === 'DISABLE');
    if (plain?.rule !== undefined) {
      const name = describeRule(plain.rule);
      const port = plain.port === undefined ? '' : ` on port ${plain.port}`;
      return { key: name, text: `${name} has callers come in plain text${port} (tls.mode DISABLE)` };
    }
    if (this.#survey.snapshot.meshConfig.enableAutoMtls) return undefined;
    const asked = toward.some(({ mode }) => mode === 'ISTIO_MUTUAL' || mode === 'MUTUAL');
    return asked ? undefined : { key: 'auto', text: 'enableAutoMtls is off and no DestinationRule has callers use ISTIO_MUTUAL' };
  }
}

function effectOf(policy: AuthorizationPolicy, { negated, name }: List): string {
  if (policy.action === 'DENY')
    return negated
      ? `${name} holds for every caller, so all of them are denied`
      : `${name} never matches, so nobody is denied by it`;
  return negated ? `${name} holds for every caller` : `${name} never matches, so callers are not let in by it`;
}

function unauthenticated(policy: AuthorizationPolicy, list: List, places: readonly Place[], modes: Modes): readonly Diagnostic[] {
  const found = new Map<string, { readonly reason: Reason; readonly names: string[] }>();
  for (const place of places) {
    const reason = modes.withoutMtls(place);
    if (reason === undefined) continue;
    const entry = found.get(reason.key) ?? { reason, names: [] };
    entry.names.push(place.name);
    found.set(reason.key, entry);
  }
  return [...found.values()].map(({ reason, names }) =>
    finding(
      policy.meta,
      list.path,
      'warning',
      'identity-without-mtls',
      `callers of ${some(names)} have no identity: ${reason.text}; ${effectOf(policy, list)}`,
      'use mode STRICT or PERMISSIVE there, and tls.mode ISTIO_MUTUAL (or none) in DestinationRules',
    ),
  );
}

function needsIdentity({ principals, namespaces, serviceAccounts, trustDomains }: Source): boolean {
  return [principals, namespaces, serviceAccounts, trustDomains].some(({ values }) => values.length > 0);
}

/** True when a caller without an identity may match as far as identities go. */
function takesPlainText(rule: Rule): boolean {
  const keys = new Set(['source.principal', 'source.namespace', 'source.serviceAccount', 'source.trustDomain']);
  if (rule.when.some(({ key, values }) => keys.has(key) && values.values.length > 0)) return false;
  return rule.from.length === 0 || rule.from.some((source) => !needsIdentity(source));
}

/** Whether anything lets a caller in who has no identity. */
function admitsPlainText(survey: Survey, { workload }: Place): boolean {
  const policies = workload === undefined ? survey.snapshot.authorizationPolicies : survey.policiesOf(workload);
  const allowing = policies.filter(({ action, dryRun }) => action === 'ALLOW' && !dryRun);
  return allowing.length === 0 || allowing.some(({ rules }) => rules.some(takesPlainText));
}

function permissive(
  survey: Survey,
  policy: AuthorizationPolicy,
  lists: readonly List[],
  places: readonly Place[],
  modes: Modes,
): readonly Diagnostic[] {
  const open = places.filter(
    (place) => modes.isPermissive(place) && modes.withoutMtls(place) === undefined && !modes.isGateway(place),
  );
  if (open.length === 0) return [];
  return policy.rules.flatMap((rule, at) => {
    const own = lists.filter((list) => list.rule === at);
    const [first] = own;
    if (first === undefined) return [];
    const plain = takesPlainText(rule);
    const hint = 'set PeerAuthentication to STRICT for these workloads once all their callers have a proxy';
    if (policy.action === 'ALLOW' && plain === own.some(({ negated }) => negated) && plain) {
      return [
        finding(
          policy.meta,
          (own.find(({ negated }) => negated) ?? first).path,
          'warning',
          'plain-text-let-in',
          `${some(open.map(({ name }) => name))} takes plain text (PERMISSIVE), and a caller without an identity is not excluded by ${first.name}: it is let in`,
          `${hint}, or name the callers that may: principals: ["*"] asks for any identity`,
        ),
      ];
    }
    if (policy.action === 'DENY' && !plain) {
      const around = open.filter((place) => admitsPlainText(survey, place));
      if (around.length === 0) return [];
      return [
        finding(
          policy.meta,
          first.path,
          'warning',
          'plain-text-steps-around',
          `${some(around.map(({ name }) => name))} takes plain text (PERMISSIVE): whoever calls without a certificate has no identity, and is not denied by ${first.name}`,
          hint,
        ),
      ];
    }
    if (policy.action === 'ALLOW' && !plain)
      return [
        finding(
          policy.meta,
          first.path,
          'info',
          'plain-text-never-matches',
          `${some(open.map(({ name }) => name))} takes plain text (PERMISSIVE), and callers in plain text never match ${first.name}`,
          'a caller without a proxy needs another rule, as ipBlocks',
        ),
      ];
    return [];
  });
}

/** Policies about identities where callers have none. */
export function plainText(survey: Survey): readonly Diagnostic[] {
  const modes = new Modes(survey);
  return survey.snapshot.authorizationPolicies.flatMap((policy) => {
    if (policy.action !== 'ALLOW' && policy.action !== 'DENY') return [];
    const lists = listsOf(policy).filter(isIdentity);
    const [first] = lists;
    if (first === undefined) return [];
    const places = placesOf(survey, policy);
    return [
      ...unauthenticated(
        policy,
        first,
        places.filter((place) => !modes.isGateway(place)),
        modes,
      ),
      ...(survey.isFragment ? [] : permissive(survey, policy, lists, places, modes)),
    ];
  });
}
