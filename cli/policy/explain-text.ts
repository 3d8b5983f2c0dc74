import type { createColors } from 'picocolors';
import type { Origin } from '../../mesh/model/diagnostic.ts';
import type { Explanation, FailedCondition, PolicyStep, RuleStep } from '../../policy/evaluate/explain.ts';
import type { NamedRequest } from '../../policy/evaluate/read-requests.ts';
import { requestLine } from './print-request.ts';

export type Colors = ReturnType<typeof createColors>;

/** Where a policy stands in the input, by `KIND namespace/name`. */
export type Places = (
  kind: 'AuthorizationPolicy' | 'PeerAuthentication' | 'RequestAuthentication',
  name: string,
) => Origin | undefined;

function place(origin: Origin | undefined): string {
  return origin === undefined ? '' : ` (${origin.file}:${origin.line})`;
}

function failedText({ at, why }: FailedCondition): string {
  return at === '' ? why : `${at} ${why}`;
}

function ruleText({ rule, matched, counts, met, conditions, failed }: RuleStep, colors: Colors): string {
  const held = conditions === 0 ? 'it has no conditions' : `${met} of ${conditions} conditions hold`;
  if (matched === 'yes') return colors.bold(`rule ${rule} matches`);
  const why = failed === undefined ? '' : `; ${failedText(failed)}`;
  const doubt = counts ? 'cannot be decided and so counts as matching' : 'cannot be decided and so does not match';
  return matched === 'unknown' ? `rule ${rule} ${doubt}: ${held}${why}` : `rule ${rule} does not match: ${held}${why}`;
}

function policyLines(step: PolicyStep, places: Places, colors: Colors): readonly string[] {
  const marks = [
    ...(step.dryRun ? ['dry run, decides nothing'] : []),
    ...(step.action === 'AUDIT' ? ['decides nothing'] : []),
    ...(step.provider === undefined ? [] : [`asks ${step.provider}`]),
    ...(step.reached ? [] : ['not reached, decided before']),
    ...(step.decided ? ['decides'] : []),
  ];
  const origin = place(places('AuthorizationPolicy', step.policy));
  const head = `${step.action} ${step.policy}${origin}${marks.length === 0 ? '' : `: ${marks.join(', ')}`}`;
  const rules =
    step.rules.length === 0 ? ['it has no rules, so nothing matches'] : step.rules.map((rule) => ruleText(rule, colors));
  return [step.decided ? colors.bold(head) : step.reached ? head : colors.dim(head), ...rules.map((rule) => `    ${rule}`)];
}

/** Said of a caller whose certificate proxies refuse before any policy is asked, unless the mesh is federated with its trust domain. */
const OF_ANOTHER_DOMAIN = ', of another trust domain, which proxies let in only when the mesh is federated with it';

function mtlsText({ mtls }: Explanation, places: Places, strange: string): string {
  const by =
    mtls.setBy === undefined
      ? 'the default'
      : `PeerAuthentication ${mtls.setBy}${place(places('PeerAuthentication', mtls.setBy))}`;
  const who = mtls.peer === undefined ? 'the caller has no identity' : `the caller is ${mtls.peer}${strange}`;
  return mtls.passed ? `${mtls.mode}, by ${by}: ${who}` : `${mtls.mode}, by ${by}: plain text is refused here`;
}

/** What would have to be otherwise for the other decision, where one thing would do. */
function changeText({ verdict, mtls, token, nearest, policies }: Explanation): string | undefined {
  if (!mtls.passed)
    return 'the caller would have to use mutual TLS (a sidecar or an agent gives it an identity), or the mode would have to be PERMISSIVE';
  if (token?.passed === false)
    return 'the token would have to be one that a RequestAuthentication accepts; without any, a request goes on to the policies unless one is REQUIRED';
  if (nearest !== undefined) {
    const { rule, policy, failed } = nearest;
    const step = policies.find((one) => one.policy === policy)?.rules.find((one) => one.rule === rule);
    const missing = step === undefined ? 0 : step.conditions - step.met;
    const far = missing === 1 ? 'one condition is missing' : `${missing} conditions are missing, first`;
    return `${policy} rule ${rule} comes nearest; ${far}${failed === undefined ? '' : `: ${failedText(failed)}`}`;
  }
  if (verdict.decision === 'DENY' && verdict.policy !== undefined)
    return `${verdict.policy} rule ${verdict.rule ?? '?'} would have to match no longer, or the request be another`;
  if (verdict.decision === 'DENY' && policies.some(({ action, dryRun }) => action === 'ALLOW' && !dryRun))
    return 'an ALLOW rule would have to match; the ALLOW policies that apply have none';
  return undefined;
}

/** What the mesh knows of the two ends of a request. */
export interface Surroundings {
  readonly destination: string;
  /** The caller's trust domain is not the mesh's. */
  readonly strange: boolean;
}

/** One request and why it is decided as it is, for people. */
export function explainedText(
  { name, request }: NamedRequest,
  explanation: Explanation,
  { destination, strange }: Surroundings,
  places: Places,
  colors: Colors,
): string {
  const { verdict, token, custom, policies, shadow } = explanation;
  const decision = verdict.decision === 'ALLOW' ? colors.green('ALLOW') : colors.red('DENY');
  const lines: string[] = [
    `${colors.bold('Request')}     ${name === '' ? '' : `${name}: `}${requestLine(request)}`,
    `${colors.bold('To')}          ${destination}`,
    `${colors.bold('Mutual TLS')}  ${mtlsText(explanation, places, strange ? OF_ANOTHER_DOMAIN : '')}`,
    ...(token === undefined ? [] : [`${colors.bold('Token')}       ${token.why}`]),
    ...(custom === undefined ? [] : [`${colors.bold('Authorizer')}  ${custom.why}`]),
    policies.length === 0
      ? `${colors.bold('Policies')}    none applies`
      : colors.bold('Policies, in the order in which they are considered'),
    ...policies.flatMap((step) => policyLines(step, places, colors)).map((line) => `  ${line}`),
    ...(shadow.deny === undefined
      ? []
      : [`${colors.bold('Dry run')}     the DENY policies on trial would say ${shadow.deny.decision}`]),
    ...(shadow.allow === undefined
      ? []
      : [`${colors.bold('Dry run')}     the ALLOW policies on trial would say ${shadow.allow.decision}`]),
    `${colors.bold('Decision')}    ${decision}: ${explanation.nearest === undefined ? verdict.reason : verdict.reason.replace(/; nearest is .*$/s, '')}`,
  ];
  const change = changeText(explanation);
  if (change !== undefined) lines.push(`${colors.bold('To change')}   ${change}`);
  return `${lines.join('\n')}\n`;
}
