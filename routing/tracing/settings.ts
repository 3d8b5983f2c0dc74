import type { CustomTags, OpenTelemetryProvider, ZipkinProvider } from '../../mesh/model/telemetry.ts';
import type { Vantage } from '../access-log/grpc.ts';
import type { Scope } from '../scope.ts';
import { applicableTelemetries } from '../telemetry/applicable.ts';
import { speaksOf } from '../telemetry/mode.ts';
import { telemetryProviderNamed } from '../telemetry/provider.ts';
import { type Destination, destinationOf, legacyDestination, legacyZipkin } from './collector.ts';

/** Istio's: one request of a hundred. */
const DEFAULT_SAMPLING = 1;

export interface TracingSettings {
  readonly provider: ZipkinProvider | OpenTelemetryProvider;
  readonly destination: Destination;
  readonly sampling: number;
  readonly customTags: CustomTags;
  readonly maxTagLength: number | undefined;
  readonly useRequestId: boolean;
}

type Tracer = TracingSettings['provider'];

function tracerNamed(scope: Scope, name: string | undefined): Tracer | undefined {
  const found = name === undefined ? undefined : telemetryProviderNamed(scope.snapshot.meshConfig, name);
  return found?.kind === 'zipkin' || found?.kind === 'opentelemetry' ? found : undefined;
}

/**
 * How requests are traced that a proxy sees from there: what each level says replaces what those above it say, field by field.
 * Where neither a Telemetry nor a default provider speaks of tracing, `enableTracing` decides. Undefined: not at all.
 */
export function tracingSettings(scope: Scope, vantage: Vantage): TracingSettings | undefined {
  const { snapshot } = scope;
  const mesh = snapshot.meshConfig.telemetry;
  const rules = applicableTelemetries(scope).flatMap(({ tracing }) => tracing);
  const byDefault = mesh?.defaultTracing[0];
  const unspoken = {
    sampling: mesh?.sampling ?? DEFAULT_SAMPLING,
    customTags: mesh?.customTags ?? {},
    maxTagLength: mesh?.maxPathTagLength,
    useRequestId: true,
  };
  if (rules.length === 0 && byDefault === undefined) {
    const provider = legacyZipkin(snapshot.meshConfig);
    const destination = legacyDestination(snapshot);
    return provider === undefined || destination === undefined ? undefined : { provider, destination, ...unspoken };
  }
  let provider = tracerNamed(scope, byDefault);
  let { sampling, customTags, useRequestId } = unspoken;
  let disabled = false;
  for (const rule of rules) {
    if (!speaksOf(rule.mode, vantage)) continue;
    if (rule.providers.length > 0) provider = tracerNamed(scope, rule.providers[0]);
    disabled = rule.disabled ?? disabled;
    sampling = rule.sampling ?? sampling;
    customTags = rule.customTags ?? customTags;
    useRequestId = rule.useRequestId ?? useRequestId;
  }
  const destination = provider === undefined ? undefined : destinationOf(snapshot, provider);
  if (disabled || provider === undefined || destination === undefined) return undefined;
  const maxTagLength = provider.maxTagLength ?? unspoken.maxTagLength;
  return { provider, destination, sampling, customTags, maxTagLength, useRequestId };
}
