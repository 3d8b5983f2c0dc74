import { findProvider } from '../../mesh/model/extension-provider.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { type MtlsSetting, mtlsSetting, workloadMtlsSetting } from '../peer-authentication/mode.ts';
import type { SelectedWorkload } from '../select.ts';
import { type CustomStep, askProviders } from './custom.ts';
import { type Facts, factsOf } from './facts.ts';
import { type Candidate, type Stages, firstMatch, inOrder, stagesOf } from './prepared.ts';
import type { Request } from './request.ts';
import { type TokenStep, requestAuthentication } from './request-authentication.ts';

/** What decided. */
export type Outcome =
  | { readonly kind: 'plain-text' }
  | { readonly kind: 'token'; readonly step: Extract<TokenStep, { readonly kind: 'refused' }> }
  | { readonly kind: 'doubtful-peer' }
  /** `late`: nobody can be asked, so that it denies together with DENY, after tokens. */
  | { readonly kind: 'custom'; readonly step: Extract<CustomStep, { readonly kind: 'refused' }>; readonly late: boolean }
  | { readonly kind: 'denied'; readonly by: Candidate }
  | { readonly kind: 'nothing-asked' }
  | { readonly kind: 'allowed'; readonly by: Candidate }
  | { readonly kind: 'not-allowed' };

/** A request on its way through all that the mesh asks of it. Steps after the one that decided are left out. */
export interface Walk {
  readonly setting: MtlsSetting;
  /** The port takes mutual TLS; otherwise nobody is authenticated there. */
  readonly encrypted: boolean;
  /** Undefined when the call got no further than the connection. */
  readonly facts: Facts | undefined;
  readonly token: TokenStep | undefined;
  readonly custom: CustomStep | undefined;
  readonly outcome: Outcome;
}

export interface Walker {
  readonly stages: Stages;
  readonly walk: (request: Request) => Walk;
  /** A request as policies would see it, had it got so far. */
  readonly factsFor: (request: Request) => Facts;
}

/** Envoy compares the URI SANs of a certificate as one text; a comma could hide a second identity in it. */
function inDoubt({ source }: Request, peer: string | undefined): boolean {
  return (
    (peer !== undefined && (peer === '' || peer.includes(','))) ||
    (source.principal !== undefined && !source.principal.startsWith('spiffe://'))
  );
}

/** What the filters behind the one for tokens see. */
function withToken(facts: Facts, { token, takenFrom = [] }: Extract<TokenStep, { readonly kind: 'passed' }>): Facts {
  const taken = takenFrom.filter(({ name, prefix }) => facts.headers.get(name.toLowerCase())?.[0]?.startsWith(prefix) === true);
  if (taken.length === 0) return { ...facts, token };
  const headers = new Map(facts.headers);
  for (const { name } of taken) headers.delete(name.toLowerCase());
  return { ...facts, token, headers };
}

/** Readies for any request to a workload what does not depend on the request. */
export function walker(snapshot: Snapshot, workload: SelectedWorkload): Walker {
  const { meshConfig } = snapshot;
  const stages = stagesOf(snapshot, workload);
  const { CUSTOM, DENY, ALLOW } = stages.enforced;
  const governed = [CUSTOM, DENY, ALLOW].some(({ policies }) => policies.length > 0);
  const authenticate = requestAuthentication(snapshot, workload);
  const settings = new Map<number | undefined, MtlsSetting>();

  const settingFor = ({ destination: { port } }: Request): MtlsSetting => {
    const known = settings.get(port);
    if (known !== undefined) return known;
    const made = port === undefined ? workloadMtlsSetting(snapshot, workload) : mtlsSetting(snapshot, workload, port);
    settings.set(port, made);
    return made;
  };

  const allowing = (facts: Facts): Outcome => {
    if (ALLOW.policies.length === 0) return { kind: 'nothing-asked' };
    const by = firstMatch(ALLOW, facts);
    return by === undefined ? { kind: 'not-allowed' } : { kind: 'allowed', by };
  };

  const canBeAsked = ({ policy }: Candidate): boolean => findProvider(snapshot, policy.provider).kind !== 'unknown';
  const asked = CUSTOM.candidates.filter(canBeAsked);
  const unaskable = CUSTOM.candidates.filter((one) => !canBeAsked(one));
  const unaskableFirst = inOrder(unaskable, ({ policy }) => `${policy.provider ?? ''}-`);
  const denyingBy = (facts: Facts): Candidate | undefined =>
    unaskableFirst.find(({ rule }) => rule.matches(facts)) ?? firstMatch(DENY, facts);

  const askingOf = (matches: readonly Candidate[], request: Request): CustomStep =>
    askProviders(
      matches.map(({ policy, rule }) => ({ policy, rule: rule.index })),
      request,
      snapshot,
    );

  const deny = (by: Candidate, request: Request): Outcome => {
    const step = by.policy.action === 'CUSTOM' ? askingOf([by], request) : undefined;
    return step?.kind === 'refused' ? { kind: 'custom', step, late: true } : { kind: 'denied', by };
  };

  const walk = (request: Request): Walk => {
    const setting = settingFor(request);
    const encrypted = setting.mode !== 'DISABLE';
    const before = { setting, encrypted, facts: undefined, token: undefined, custom: undefined };
    if (setting.mode === 'STRICT' && request.source.principal === undefined)
      return { ...before, outcome: { kind: 'plain-text' } };
    // CUSTOM comes before tokens, as in Istio: an authorizer may put one into the request.
    const unverified = factsOf(request, meshConfig, encrypted, undefined);
    const untold = { ...before, facts: unverified };
    if (governed && inDoubt(request, unverified.peer)) return { ...untold, outcome: { kind: 'doubtful-peer' } };
    const custom =
      asked.length === 0
        ? undefined
        : askingOf(
            asked.filter(({ rule }) => rule.matches(unverified)),
            request,
          );
    if (custom?.kind === 'refused') return { ...untold, custom, outcome: { kind: 'custom', step: custom, late: false } };
    const token = request.destination.protocol === 'TCP' ? undefined : authenticate(request);
    const facts = token?.kind === 'passed' ? withToken(unverified, token) : unverified;
    const known = { setting, encrypted, facts, token, custom };
    if (token?.kind === 'refused') return { ...known, outcome: { kind: 'token', step: token } };
    const by = denyingBy(facts);
    const outcome = by === undefined ? allowing(facts) : deny(by, request);
    return { ...known, ...(outcome.kind === 'custom' && { custom: outcome.step }), outcome };
  };
  const factsFor = (request: Request): Facts =>
    factsOf(request, meshConfig, settingFor(request).mode !== 'DISABLE', request.token);
  return { stages, walk, factsFor };
}
