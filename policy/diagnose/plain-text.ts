import type { AuthorizationPolicy, Rule, Source } from '../../mesh/model/authorization-policy.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { Labels } from '../../mesh/model/object.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { type MtlsSetting, mtlsSetting, workloadMtlsSetting } from '../peer-authentication/mode.ts';
import { describeRule, tlsToward } from './client-tls.ts';
import { isIdentity, type List, listsOf } from './fields.ts';
import { finding } from './finding.ts';
import { remembered } from '../../mesh/model/remembered.ts';
import { nameOf, type Survey } from './survey.ts';

interface Place {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly workload: Workload | undefined;
}

/** Where a policy applies; where no workload is known, what its selector says of them. */
class Places {
  readonly #survey: Survey;
  readonly #of = remembered((workload: Workload): Place => {
    const { namespace, labels } = workload;
    return { name: nameOf(workload), namespace, labels, workload };
  });
  readonly #all = remembered((targets: readonly Workload[]) => targets.map((one) => this.#of(one)));
  readonly #none: readonly Place[] = [];

  constructor(survey: Survey) {
    this.#survey = survey;
  }

  of(policy: AuthorizationPolicy): readonly Place[] {
    const survey = this.#survey;
    if (!survey.isFragment) return this.#all(survey.targets(policy));
    const { namespace } = policy.meta;
    if (namespace === survey.snapshot.meshConfig.rootNamespace || policy.targetRefs.length > 0) return this.#none;
    const labels = Object.entries(policy.selector).map(([name, value]) => `${name}=${value}`);
    const name = labels.length === 0 ? `namespace ${namespace}` : `${labels.join(', ')} in namespace ${namespace}`;
    return [{ name, namespace, labels: policy.selector, workload: undefined }];
  }
}

/** Why callers of a place come without an identity, whoever they are. */
type Reason = { readonly key: string; readonly text: string };

interface Setting {
  readonly port: number | undefined;
  readonly setting: MtlsSetting;
}

class Modes {
  readonly #survey: Survey;
  readonly settings = remembered((place: Place): readonly Setting[] => this.#settings(place));
  /** Undefined when callers of the mesh use mutual TLS there. */
  readonly withoutMtls = remembered((place: Place): Reason | undefined => this.#withoutMtls(place));
  /** Whether anything lets a caller in who has no identity. */
  readonly #admitsPlainText = remembered((place: Place): boolean => admitsPlainText(this.#survey, place));
  /** Of some places, those that take plain text beside mutual TLS. */
  readonly open = remembered((places: readonly Place[]): readonly Place[] =>
    places.filter((place) => this.isPermissive(place) && this.withoutMtls(place) === undefined && !this.isGateway(place)),
  );
  /** Of these, those where nothing else keeps plain text out. */
  readonly around = remembered((places: readonly Place[]): readonly Place[] =>
    this.open(places).filter((place) => this.#admitsPlainText(place)),
  );
  /** Places whose callers have no identity, by the reason. */
  readonly unauthenticated = remembered((places: readonly Place[]) => {
    const found = new Map<string, { readonly reason: Reason; readonly places: Place[] }>();
    for (const place of places) {
      const reason = this.isGateway(place) ? undefined : this.withoutMtls(place);
      if (reason === undefined) continue;
      const entry = found.get(reason.key) ?? { reason, places: [] };
      entry.places.push(place);
      found.set(reason.key, entry);
    }
    return [...found.values()];
  });

  constructor(survey: Survey) {
    this.#survey = survey;
  }

  #settings(place: Place): readonly Setting[] {
    const { snapshot } = this.#survey;
    const ports = place.workload === undefined ? [] : this.#survey.portsOf(place.workload);
    return ports.length === 0
      ? [{ port: undefined, setting: workloadMtlsSetting(snapshot, place) }]
      : ports.map(({ port }) => ({ port, setting: mtlsSetting(snapshot, place, port) }));
  }

  isPermissive(place: Place): boolean {
    return this.settings(place).some(({ setting }) => setting.mode === 'PERMISSIVE');
  }

  /** Gateways are called from outside; nobody expects mesh identities of all their callers. */
  isGateway({ workload }: Place): boolean {
    return workload !== undefined && this.#survey.isGateway(workload);
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

function namesOf(places: readonly Place[]): string {
  const names = places.slice(0, 3).map(({ name }) => name);
  return places.length > 3 ? `${names.join(', ')} and ${places.length - 3} more` : names.join(', ');
}

function unauthenticated(policy: AuthorizationPolicy, list: List, all: readonly Place[], modes: Modes): readonly Diagnostic[] {
  return modes
    .unauthenticated(all)
    .map(({ reason, places }) =>
      finding(
        policy.meta,
        list.path,
        'warning',
        'identity-without-mtls',
        `callers of ${namesOf(places)} have no identity: ${reason.text}; ${effectOf(policy, list)}`,
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

/** True when a policy lets in a caller who has no identity, as far as identities go. */
const letsPlainTextIn = remembered(({ rules }: AuthorizationPolicy): boolean => rules.some(takesPlainText));

function admitsPlainText(survey: Survey, { workload }: Place): boolean {
  const policies = workload === undefined ? survey.snapshot.authorizationPolicies : survey.policiesOf(workload);
  let allowing = false;
  for (const policy of policies) {
    if (policy.action !== 'ALLOW' || policy.dryRun) continue;
    if (letsPlainTextIn(policy)) return true;
    allowing = true;
  }
  return !allowing;
}

function permissive(
  policy: AuthorizationPolicy,
  lists: readonly List[],
  places: readonly Place[],
  modes: Modes,
): readonly Diagnostic[] {
  const open = modes.open(places);
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
          `${namesOf(open)} takes plain text (PERMISSIVE), and a caller without an identity is not excluded by ${first.name}: it is let in`,
          `${hint}, or name the callers that may: principals: ["*"] asks for any identity`,
        ),
      ];
    }
    if (policy.action === 'DENY' && !plain) {
      const around = modes.around(places);
      if (around.length === 0) return [];
      return [
        finding(
          policy.meta,
          first.path,
          'warning',
          'plain-text-steps-around',
          `${namesOf(around)} takes plain text (PERMISSIVE): whoever calls without a certificate has no identity, and is not denied by ${first.name}`,
          hint,
        ),
      ];
    }
    // Once for a policy: it is so of every rule about identities.
    if (policy.action === 'ALLOW' && !plain && first === lists[0])
      return [
        finding(
          policy.meta,
          first.path,
          'info',
          'plain-text-never-matches',
          `${namesOf(open)} takes plain text (PERMISSIVE), and callers in plain text never match ${first.name}`,
          'a caller without a proxy needs another rule, as ipBlocks',
        ),
      ];
    return [];
  });
}

/** Policies about identities where callers have none. */
export function plainText(survey: Survey): readonly Diagnostic[] {
  const modes = new Modes(survey);
  const all = new Places(survey);
  return survey.policies.flatMap((policy) => {
    if (policy.action !== 'ALLOW' && policy.action !== 'DENY') return [];
    const lists = listsOf(policy).filter(isIdentity);
    const [first] = lists;
    if (first === undefined) return [];
    const places = all.of(policy);
    return [
      ...unauthenticated(policy, first, places, modes),
      ...(survey.isFragment ? [] : permissive(policy, lists, places, modes)),
    ];
  });
}
