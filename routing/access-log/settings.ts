import type { AccessLoggingRule, FileLogProvider, SentLogProvider } from '../../mesh/model/telemetry.ts';
import type { Scope } from '../scope.ts';
import { applicableTelemetries } from '../telemetry/applicable.ts';
import { speaksOf } from '../telemetry/mode.ts';
import { telemetryProviderNamed } from '../telemetry/provider.ts';
import { type Destination, destinationOf } from '../tracing/collector.ts';
import type { Vantage } from './grpc.ts';

export type LogDestination =
  | { readonly kind: 'file'; readonly provider: FileLogProvider }
  /** To a Service of the mesh. */
  | { readonly kind: 'sent'; readonly provider: SentLogProvider; readonly to: Destination };

export interface LogSettings {
  readonly destination: LogDestination;
  /** In CEL; undefined: everything. */
  readonly filter: string | undefined;
}

/** The last level that names providers decides which are in use; rules without any speak of those of the rule before. */
function merged(
  levels: readonly (readonly AccessLoggingRule[])[],
  byDefault: readonly string[],
): ReadonlyMap<string, string | undefined> {
  let inScope = byDefault;
  for (const rules of levels) {
    const named = rules.flatMap(({ providers }) => providers);
    if (named.length > 0) inScope = named;
  }
  const logs = new Map<string, string | undefined>();
  let meant = byDefault;
  for (const { providers, disabled, filter } of levels.flat()) {
    if (providers.length > 0) meant = providers;
    for (const name of meant) {
      if (!inScope.includes(name)) continue;
      if (disabled) logs.delete(name);
      else logs.set(name, filter);
    }
  }
  return logs;
}

function destinationNamed({ snapshot }: Scope, name: string): LogDestination | undefined {
  const provider = telemetryProviderNamed(snapshot.meshConfig, name);
  if (provider?.kind === 'file-log') return { kind: 'file', provider };
  if (provider?.kind !== 'sent-log') return undefined;
  const to = destinationOf(snapshot, provider);
  return to === undefined ? undefined : { kind: 'sent', provider, to };
}

/**
 * Where a proxy logs to what it sees from there, beside the log that goes to the control plane. Where neither a Telemetry nor a default
 * provider speaks of logs, `accessLogFile` decides. Nothing is sent to a Service that is not there.
 */
export function logSettings(scope: Scope, vantage: Vantage): readonly LogSettings[] {
  const { meshConfig } = scope.snapshot;
  const { telemetry } = meshConfig;
  const byDefault = telemetry?.defaultAccessLogging ?? [];
  const spoken = applicableTelemetries(scope)
    .map(({ accessLogging }) => accessLogging)
    .filter((rules) => rules.length > 0);
  if (spoken.length === 0 && byDefault.length === 0)
    return telemetry?.accessLog === undefined
      ? []
      : [{ destination: { kind: 'file', provider: telemetry.accessLog }, filter: undefined }];
  const levels = spoken.map((rules) => rules.filter(({ mode }) => speaksOf(mode, vantage)));
  const logs = spoken.length === 0 ? new Map(byDefault.map((name) => [name, undefined] as const)) : merged(levels, byDefault);
  return [...logs]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, filter]) => {
      const destination = destinationNamed(scope, name);
      return destination === undefined ? [] : [{ destination, filter }];
    });
}
