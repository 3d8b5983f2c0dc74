import { entriesOf, type Field, fieldsOf, itemsOf } from '../field.ts';
import { flag, oneOf, optionalText, requiredText } from '../scalar.ts';
import { duration } from '../duration.ts';
import { unapplied } from '../unapplied.ts';
import { providerNames } from './providers.ts';

const METRICS = [
  'ALL_METRICS',
  'REQUEST_COUNT',
  'REQUEST_DURATION',
  'REQUEST_SIZE',
  'RESPONSE_SIZE',
  'TCP_OPENED_CONNECTIONS',
  'TCP_CLOSED_CONNECTIONS',
  'TCP_SENT_BYTES',
  'TCP_RECEIVED_BYTES',
  'GRPC_REQUEST_MESSAGES',
  'GRPC_RESPONSE_MESSAGES',
] as const;

/** Metrics come from the access log, for all traffic alike; what is written is checked as Istio does, and has no effect. */
export function checkMetrics(field: Field): void {
  unapplied(field, 'metrics');
  for (const item of itemsOf(field)) {
    const fields = fieldsOf(item, ['providers', 'overrides', 'reportingInterval']);
    providerNames(fields.providers);
    duration(fields.reportingInterval, 0);
    for (const override of itemsOf(fields.overrides)) checkOverride(override);
  }
}

function checkOverride(field: Field): void {
  const fields = fieldsOf(field, ['match', 'disabled', 'tagOverrides']);
  flag(fields.disabled);
  const match = fieldsOf(fields.match, ['metric', 'customMetric', 'mode']);
  oneOf(match.mode, ['CLIENT_AND_SERVER', 'CLIENT', 'SERVER']);
  oneOf(match.metric, METRICS);
  if (match.customMetric.given) requiredText(match.customMetric, 'the name of a metric');
  for (const [name, tag] of entriesOf(fields.tagOverrides)) {
    if (name === '') tag.error('bad-name', 'a tag has no name', 'name it');
    const { operation, value } = fieldsOf(tag, ['operation', 'value']);
    const removed = oneOf(operation, ['UPSERT', 'REMOVE']) === 'REMOVE';
    const written = optionalText(value);
    if (removed && written !== undefined)
      value.error('contradiction', 'a tag that is removed has no value', 'remove value, or write operation: UPSERT');
    if (!removed && written === undefined) value.error('missing-field', 'must be set and not empty', 'as value: request.host');
  }
}
