import {
  type MetricOverride,
  type MetricsRule,
  STANDARD_METRICS,
  type StandardMetric,
  TAG_ATTRIBUTES,
  type TagOverride,
} from '../../model/telemetry.ts';
import type { Context } from '../context.ts';
import { duration } from '../duration.ts';
import { entriesOf, type Field, fieldsOf, itemsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { flag, oneOf, optionalText, requiredText } from '../scalar.ts';
import { unapplied } from '../unapplied.ts';
import { knownProviders } from './providers.ts';

/** Prometheus' names without `istio_`, by which a `customMetric` may mean a standard metric, as Istio's filter takes it. */
const BY_STAT_NAME: Readonly<Record<string, StandardMetric>> = Object.freeze({
  requests_total: 'REQUEST_COUNT',
  request_duration_milliseconds: 'REQUEST_DURATION',
  request_bytes: 'REQUEST_SIZE',
  response_bytes: 'RESPONSE_SIZE',
  tcp_connections_opened_total: 'TCP_OPENED_CONNECTIONS',
  tcp_connections_closed_total: 'TCP_CLOSED_CONNECTIONS',
  tcp_sent_bytes_total: 'TCP_SENT_BYTES',
  tcp_received_bytes_total: 'TCP_RECEIVED_BYTES',
  request_messages_total: 'GRPC_REQUEST_MESSAGES',
  response_messages_total: 'GRPC_RESPONSE_MESSAGES',
});

/** Of a label in Prometheus; those with `__` are its own, and `le` is that of a histogram's buckets. */
const LABEL = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;
const MOST_TAGS = 100;
const LONGEST_VALUE = 256;

/** An entry of `metrics`. The metrics are made from the access log, and these rules act on what is counted there. */
export function metricsRule(item: Field, context: Context): MetricsRule {
  const fields = fieldsOf(item, ['providers', 'overrides', 'reportingInterval']);
  duration(fields.reportingInterval, 0);
  unapplied(fields.reportingInterval, 'reportingInterval');
  return {
    providers: knownProviders(fields.providers, context),
    overrides: itemsOf(fields.overrides).map(override),
  };
}

function override(field: Field): MetricOverride {
  const fields = fieldsOf(field, ['match', 'disabled', 'tagOverrides']);
  const match = fieldsOf(fields.match, ['metric', 'customMetric', 'mode']);
  const mode = oneOf(match.mode, ['CLIENT_AND_SERVER', 'CLIENT', 'SERVER']) ?? 'CLIENT_AND_SERVER';
  const entries = entriesOf(fields.tagOverrides);
  if (entries.length > MOST_TAGS) fields.tagOverrides.error('out-of-range', `has more than ${MOST_TAGS} tags`);
  return {
    mode,
    metrics: metricsOf(match.metric, match.customMetric),
    disabled: flag(fields.disabled),
    tags: Object.fromEntries(
      entries.flatMap(([name, tag]) => {
        const read = tagOverride(name, tag, mode);
        return read === undefined ? [] : [[name, read] as const];
      }),
    ),
  };
}

function metricsOf(metric: Field, custom: Field): readonly StandardMetric[] | undefined {
  const standard = oneOf(metric, ['ALL_METRICS', ...STANDARD_METRICS]);
  if (!custom.given) return standard === undefined || standard === 'ALL_METRICS' ? undefined : [standard];
  const name = requiredText(custom, 'the name of a metric');
  const meant = Object.hasOwn(BY_STAT_NAME, name) ? BY_STAT_NAME[name] : undefined;
  if (meant !== undefined) return [meant];
  if (name !== '')
    custom.warning('not-supported', `there is no metric "${shorten(name)}"`, "name one of Istio's standard metrics");
  return [];
}

function tagOverride(name: string, tag: Field, mode: MetricOverride['mode']): TagOverride | undefined {
  if (name === '') tag.error('bad-name', 'a tag has no name', 'name it');
  const { operation, value } = fieldsOf(tag, ['operation', 'value']);
  const removed = oneOf(operation, ['UPSERT', 'REMOVE']) === 'REMOVE';
  const written = optionalText(value);
  if (removed) {
    if (written !== undefined)
      value.error('contradiction', 'a tag that is removed has no value', 'remove value, or write operation: UPSERT');
    return { kind: 'remove' };
  }
  if (written === undefined) {
    value.error('missing-field', 'must be set and not empty', 'as value: request.method');
    return undefined;
  }
  if (!LABEL.test(name) || name === 'le') {
    if (name !== '') tag.warning('not-supported', `"${shorten(name)}" cannot be a label in Prometheus`, 'name it otherwise');
    return undefined;
  }
  const read = valueOf(written);
  if (read === undefined)
    value.warning(
      'not-supported',
      `"${shorten(written)}" cannot be told from the records that metrics are made from; the tag stays as it is`,
      `write a text in quotes or one of ${TAG_ATTRIBUTES.join(', ')}`,
    );
  else if (read.kind === 'attribute' && read.attribute === 'destination.port' && mode !== 'SERVER')
    value.warning('not-supported', 'the port is told by the destination only; elsewhere it is "unknown"', 'write mode: SERVER');
  return read;
}

/** Of CEL what is a text, a number, or an attribute, also as `string(...)`. Everything else is for a proxy, not for records. */
function valueOf(written: string): TagOverride | undefined {
  const trimmed = written.trim();
  const bare = /^string\(\s*([^()]*?)\s*\)$/.exec(trimmed)?.[1] ?? trimmed;
  const text = /^(?:"([^"\\\n]*)"|'([^'\\\n]*)')$/.exec(bare) ?? /^(-?\d{1,15}|true|false)$/.exec(bare);
  if (text !== null) {
    const value = text[1] ?? text[2] ?? '';
    return value.length > LONGEST_VALUE ? undefined : { kind: 'literal', value };
  }
  const attribute = TAG_ATTRIBUTES.find((one) => one === bare);
  return attribute === undefined ? undefined : { kind: 'attribute', attribute };
}
