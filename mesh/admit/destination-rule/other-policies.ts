import type { RetryBudget, Tunnel } from '../../model/destination-rule.ts';
import { duration } from '../duration.ts';
import { type Field, fieldsOf } from '../field.ts';
import { integer, oneOf, port, real, requiredText, text } from '../scalar.ts';
import { unapplied } from '../unapplied.ts';

/** TCP inside of HTTP. */
export function tunnel(field: Field): Tunnel | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['protocol', 'targetHost', 'targetPort']);
  const protocol = text(fields.protocol);
  if (protocol !== '' && protocol !== 'CONNECT' && protocol !== 'POST')
    fields.protocol.error('unknown-value', 'must be CONNECT or POST');
  const host = requiredText(fields.targetHost);
  const at = port(fields.targetPort);
  if (at === undefined && !fields.targetPort.given) fields.targetPort.error('missing-field', 'must be given');
  return at === undefined ? undefined : { method: protocol === 'POST' ? 'POST' : 'CONNECT', host, port: at };
}

/** Who called, told to the destination before the first byte. */
export function proxyProtocol(field: Field): 'V1' | 'V2' | undefined {
  if (!field.given) return undefined;
  return oneOf(fieldsOf(field, ['version']).version, ['V1', 'V2']) ?? 'V1';
}

export function retryBudget(field: Field): RetryBudget | undefined {
  if (!field.given) return undefined;
  const budget = fieldsOf(field, ['percent', 'minRetryConcurrency', 'budgetInterval']);
  duration(budget.budgetInterval, 0);
  unapplied(budget.budgetInterval, 'budgetInterval');
  return {
    percent: real(budget.percent, 0, 100),
    minRetryConcurrency: integer(budget.minRetryConcurrency, 0, 4_294_967_295),
  };
}
