import { type EdgeKey, POLICY_SEPARATOR } from '../model/edge.ts';

/** The ALLOW policies that apply, where no one rule is named: none of their rules matched, or the proxy did not say which did. */
export function policiesOf(key: EdgeKey): readonly string[] {
  const lists = key.verdict === 'denied-no-rule' || key.verdict === 'allowed-unnamed';
  return lists && key.detail !== '' ? key.detail.split(POLICY_SEPARATOR) : [];
}

/** The rule that the policy compiler puts before all others: it denies a certificate that does not name exactly one identity. */
const PEER_GUARD = 'gatehouse-peer-identity';

/** The rule that denies what was revoked; see policy/compile/revoked.ts. */
const REVOKED = 'gatehouse-revoked';

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
      return key.policy === REVOKED ? 'the identity or the certificate of the caller is revoked' : `${rule(key)} denied it`;
    case 'denied-no-rule':
      return key.detail === '' ? 'no rule allowed it' : `no rule of ${policiesOf(key).join(', ')} allowed it`;
    case 'denied-transport':
      return 'refused before any request: plain text where mutual TLS is required, or a failed handshake';
    case 'denied-token':
      return 'its token was refused';
    case 'denied-custom':
      return 'an external authorizer denied it';
    case 'unreached':
      return `did not arrive: ${key.detail}`;
    default:
      return key.verdict satisfies never;
  }
}
