import type { Telemetry } from '../../mesh/model/telemetry.ts';
import { telemetriesFor } from '../../mesh/model/telemetry-levels.ts';
import type { Scope } from '../scope.ts';

/** The Telemetry objects for a proxy, the widest first. */
export function applicableTelemetries({ snapshot, proxy }: Scope): readonly Telemetry[] {
  return telemetriesFor(snapshot, proxy.workload.namespace, proxy.instance.labels);
}
