import type { AccessLoggingRule, Telemetry, TelemetryMode, TracingRule } from '../../model/telemetry.ts';
import { type Context, refer } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { flag, oneOf, optionalText, real } from '../scalar.ts';
import { workloadSelector } from '../selector.ts';
import { targetRefs } from '../target-ref.ts';
import { metricsRule } from './metrics.ts';
import { knownProviders } from './providers.ts';
import { customTags } from './tags.ts';

/** Every proxy compiles the expression, and evaluates it for each request. */
const LONGEST_EXPRESSION = 4_096;

/** Reads a Telemetry's spec. */
export function readTelemetry(spec: Field, context: Context): Telemetry {
  const fields = fieldsOf(spec, ['selector', 'targetRef', 'targetRefs', 'tracing', 'accessLogging', 'metrics']);
  const targets = targetRefs(fields, context);
  const selector = workloadSelector(fields.selector);
  if (Object.keys(selector).length > 0) refer(context, fields.selector, { kind: 'workloads', selector, everywhere: false });
  return {
    meta: context.meta,
    selector,
    targetRefs: targets,
    tracing: itemsOf(fields.tracing).map((item) => tracing(item, context)),
    accessLogging: itemsOf(fields.accessLogging).map((item) => accessLogging(item, context)),
    metrics: itemsOf(fields.metrics).map((item) => metricsRule(item, context)),
  };
}

function modeOf(match: Field): TelemetryMode {
  return oneOf(fieldsOf(match, ['mode']).mode, ['CLIENT_AND_SERVER', 'CLIENT', 'SERVER']) ?? 'CLIENT_AND_SERVER';
}

function providers(field: Field, context: Context): readonly string[] {
  const names = knownProviders(field, context);
  if (names.length > 1 && field.path.includes('tracing'))
    field.warning('not-supported', 'only the first provider is sent spans, as in Istio', 'name one');
  return names;
}

function tracing(item: Field, context: Context): TracingRule {
  const fields = fieldsOf(item, [
    'match',
    'providers',
    'randomSamplingPercentage',
    'disableSpanReporting',
    'customTags',
    'enableIstioTags',
    'useRequestIdForTraceSampling',
  ]);
  if (flag(fields.enableIstioTags) === false)
    fields.enableIstioTags.warning('not-yet-applied', 'is not applied yet', "Istio's tags are written");
  return {
    mode: modeOf(fields.match),
    providers: providers(fields.providers, context),
    sampling: real(fields.randomSamplingPercentage, 0, 100),
    disabled: flag(fields.disableSpanReporting),
    customTags: customTags(fields.customTags),
    useRequestId: flag(fields.useRequestIdForTraceSampling),
  };
}

function accessLogging(item: Field, context: Context): AccessLoggingRule {
  const fields = fieldsOf(item, ['match', 'providers', 'disabled', 'filter']);
  const { expression } = fieldsOf(fields.filter, ['expression']);
  const filter = optionalText(expression);
  if (filter !== undefined && filter.length > LONGEST_EXPRESSION)
    expression.error('out-of-range', `is longer than ${LONGEST_EXPRESSION} characters`, 'write a shorter condition');
  return {
    mode: modeOf(fields.match),
    providers: providers(fields.providers, context),
    disabled: flag(fields.disabled) ?? false,
    filter,
  };
}
