import { EVERYTHING, metricSettings, type MetricSettings } from '../../audit/metrics/settings.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Telemetry } from '../../mesh/model/telemetry.ts';
import { telemetriesFor } from '../../mesh/model/telemetry-levels.ts';
import { workloadNamed } from './directory.ts';

/** By the objects that they are made from: snapshots in which these are the same have the same settings. */
const made = new WeakMap<MeshConfig, WeakMap<readonly Telemetry[], Map<string, MetricSettings>>>();
const byWorkload = new WeakMap<Snapshot, Map<string, MetricSettings>>();

function kept<K extends object, V>(memory: WeakMap<K, V>, key: K, make: () => V): V {
  const known = memory.get(key) ?? make();
  memory.set(key, known);
  return known;
}

function settingsOf(snapshot: Snapshot, name: string): MetricSettings {
  const { meshConfig, telemetries } = snapshot;
  // Of one that is not configured (any more), what its namespace says.
  const labels = workloadNamed(snapshot, name)?.labels ?? {};
  const objects = telemetriesFor(snapshot, name.split('/', 1)[0] ?? '', labels);
  const lists = kept(made, meshConfig, () => new WeakMap<readonly Telemetry[], Map<string, MetricSettings>>());
  const known = kept(lists, telemetries, () => new Map<string, MetricSettings>());
  const key = objects.map(({ meta }) => `${meta.namespace}/${meta.name}`).join(' ');
  const before = known.get(key) ?? metricSettings(objects, meshConfig);
  known.set(key, before);
  return before;
}

/** What Telemetry objects say of metrics of what a workload (`NAMESPACE/NAME`) tells, from the snapshot that is current when it is asked. */
export function snapshotMetricSettings(current: () => Snapshot): (workload: string | undefined) => MetricSettings {
  return (workload = '') => {
    const snapshot = current();
    if (snapshot.telemetries.length === 0 && snapshot.meshConfig.telemetry?.defaultMetrics === undefined) return EVERYTHING;
    const known = kept(byWorkload, snapshot, () => new Map<string, MetricSettings>());
    const settings = known.get(workload) ?? settingsOf(snapshot, workload);
    // Only what configuration names: who tells of others would have this grow.
    if (known.size < 2 * snapshot.workloads.length + 1) known.set(workload, settings);
    return settings;
  };
}
