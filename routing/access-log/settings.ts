import type { AccessLoggingRule, FileLogProvider } from '../../mesh/model/telemetry.ts';
import type { Scope } from '../scope.ts';
import { applicableTelemetries } from '../telemetry/applicable.ts';
import { speaksOf } from '../telemetry/mode.ts';
import { telemetryProviderNamed } from '../telemetry/provider.ts';
import type { Vantage } from './grpc.ts';

export interface FileLogSettings {
  readonly provider: FileLogProvider;
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

/**
 * The files that a proxy logs to what it sees from there, beside the log that goes to the control plane. Where neither a
 * Telemetry nor a default provider speaks of logs, `accessLogFile` decides.
 */
export function fileLogSettings(scope: Scope, vantage: Vantage): readonly FileLogSettings[] {
  const { meshConfig } = scope.snapshot;
  const { telemetry } = meshConfig;
  const byDefault = telemetry?.defaultAccessLogging ?? [];
  const spoken = applicableTelemetries(scope)
    .map(({ accessLogging }) => accessLogging)
    .filter((rules) => rules.length > 0);
  if (spoken.length === 0 && byDefault.length === 0)
    return telemetry?.accessLog === undefined ? [] : [{ provider: telemetry.accessLog, filter: undefined }];
  const levels = spoken.map((rules) => rules.filter(({ mode }) => speaksOf(mode, vantage)));
  const logs = spoken.length === 0 ? new Map(byDefault.map((name) => [name, undefined] as const)) : merged(levels, byDefault);
  return [...logs]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, filter]) => {
      const provider = telemetryProviderNamed(meshConfig, name);
      return provider?.kind === 'file-log' ? [{ provider, filter }] : [];
    });
}
