import { duration } from '../duration.ts';
import { type Field, fieldsOf } from '../field.ts';
import { integer, oneOf, port, real, requiredText, text } from '../scalar.ts';
import { unapplied } from '../unapplied.ts';

/** What a traffic policy may also say and is only checked so far. */
export function otherPolicies(tunnel: Field, proxyProtocol: Field, retryBudget: Field): void {
  if (tunnel.given) {
    const fields = fieldsOf(tunnel, ['protocol', 'targetHost', 'targetPort']);
    const protocol = text(fields.protocol);
    if (protocol !== '' && protocol !== 'CONNECT' && protocol !== 'POST')
      fields.protocol.error('unknown-value', 'must be CONNECT or POST');
    requiredText(fields.targetHost);
    if (port(fields.targetPort) === undefined && !fields.targetPort.given)
      fields.targetPort.error('missing-field', 'must be given');
    unapplied(tunnel, 'tunnel');
  }
  oneOf(fieldsOf(proxyProtocol, ['version']).version, ['V1', 'V2']);
  unapplied(proxyProtocol, 'proxyProtocol');
  const budget = fieldsOf(retryBudget, ['percent', 'minRetryConcurrency', 'budgetInterval']);
  real(budget.percent, 0, 100);
  integer(budget.minRetryConcurrency, 0, 4_294_967_295);
  duration(budget.budgetInterval, 0);
  unapplied(retryBudget, 'retryBudget');
}
