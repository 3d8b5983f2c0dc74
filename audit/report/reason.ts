import { type EdgeKey, POLICY_SEPARATOR } from '../model/edge.ts';
import { marksOfText } from '../model/mark.ts';
import { CUSTOM_ANSWERS, type PolicyRule } from '../model/record.ts';

/** As audit/intake/verdict.ts writes it. */
const RATE_LIMITED = 'local_rate_limited';

/** The ALLOW policies that apply, where no one rule is named: none of their rules matched, or the proxy did not say which did. */
export function policiesOf(key: EdgeKey): readonly string[] {
  const lists = key.verdict === 'denied-no-rule' || key.verdict === 'allowed-unnamed';
  return lists && key.detail !== '' ? key.detail.split(POLICY_SEPARATOR) : [];
}

/** The rule that the policy compiler puts before all others: it denies a certificate that does not name exactly one identity. */
const PEER_GUARD = 'gatehouse-peer-identity';

/** The rule that denies what was revoked; see policy/compile/revoked.ts. */
const REVOKED = 'gatehouse-revoked';

/** The rule that denies while a change of CUSTOM policies arrives; see policy/compile/custom/marking.ts. */
const UNSETTLED = 'gatehouse-custom-unsettled';

/** A denial by a CUSTOM policy. */
function customReason(key: EdgeKey): string {
  const [answer, ...rest] = key.detail.split(':');
  const provider = rest.join(':');
  const asked = key.policy === '' ? '' : `, asked by ${rule(key)}`;
  switch (CUSTOM_ANSWERS.find((one) => one === answer)) {
    case undefined:
      return 'an external authorizer denied it';
    case 'denied':
      return `provider ${provider} denied it${asked}`;
    case 'failed':
      return `provider ${provider} could not be asked${asked}`;
    case 'stopped':
      return `provider ${provider} denied it or could not be asked${asked}`;
    case 'nobody':
      return `there is no provider ${provider} to ask${asked}`;
  }
}

/** What policies noted beside the decision, as phrases. */
export function notesOf(key: EdgeKey): readonly string[] {
  return marksOfText(key.marks).flatMap((mark) => {
    switch (mark.kind) {
      case 'asked':
        // The reason of a denial has it.
        return key.verdict === 'denied-custom' && key.detail.endsWith(`:${mark.provider}`)
          ? []
          : `provider ${mark.provider} asked by ${named(mark.by)}`;
      case 'audited':
        return `audited by ${named(mark.by)}`;
      case 'would-deny':
        return `dry run: ${named(mark.by)} would deny it`;
      case 'would-deny-no-rule':
        return 'dry run: no rule of an ALLOW policy would allow it';
      case 'would-allow':
        return `dry run: ${named(mark.by)} would allow it`;
      case 'subject':
        return `token of ${mark.subject} by ${mark.issuer}`;
      default:
        return mark satisfies never;
    }
  });
}

/** True when the call went through, and dry runs of policies would have denied it. */
export function wouldBeDenied(key: EdgeKey): boolean {
  return marksOfText(key.marks).some(({ kind }) => kind === 'would-deny' || kind === 'would-deny-no-rule');
}

function named({ policy, rule: at }: PolicyRule): string {
  return at === undefined ? policy : `rule ${at} of ${policy}`;
}

function rule(key: EdgeKey): string {
  return key.rule < 0 ? key.policy : `rule ${key.rule} of ${key.policy}`;
}

/** Why a call was allowed or denied, as a sentence. */
export function reasonOf(key: EdgeKey): string {
  switch (key.verdict) {
    case 'allowed-by-rule':
      return `${rule(key)} allowed it`;
    case 'allowed-no-policy':
      return 'no ALLOW policy applies';
    case 'allowed-unnamed':
      return `allowed; the proxy named no rule${key.detail === '' ? '' : ` (ALLOW policies: ${policiesOf(key).join(', ')})`}`;
    case 'denied-by-rule':
      if (key.policy === PEER_GUARD) return 'the certificate of the caller does not name exactly one SPIFFE ID';
      if (key.policy === UNSETTLED) return 'its CUSTOM policies were just changing';
      return key.policy === REVOKED ? 'the identity or the certificate of the caller is revoked' : `${rule(key)} denied it`;
    case 'denied-no-rule':
      return key.detail === '' ? 'no rule allowed it' : `no rule of ${policiesOf(key).join(', ')} allowed it`;
    case 'denied-transport':
      return 'refused before any request: plain text where mutual TLS is required, or a failed handshake';
    case 'denied-token':
      return 'its token was refused';
    case 'denied-custom':
      return customReason(key);
    case 'unreached':
      return key.detail === RATE_LIMITED ? 'held back by a rate limit' : `did not arrive: ${key.detail}`;
    default:
      return key.verdict satisfies never;
  }
}
