import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import {
  type MetricsRule,
  STANDARD_METRICS,
  type StandardMetric,
  type TagOverride,
  type TagOverrides,
  type Telemetry,
  type TelemetryMode,
} from '../../mesh/model/telemetry.ts';
import type { Reporter } from './labels.ts';

/** Metrics that have the same labels. */
export interface MetricGroup {
  readonly metrics: ReadonlySet<StandardMetric>;
  readonly tags: TagOverrides;
}

/** What is counted of what a workload tells as one of both ends, in groups that share labels; none: nothing is. */
export interface ReporterSettings {
  readonly groups: readonly MetricGroup[];
  /** Labels are made of the record's method and port as well. */
  readonly detailed: boolean;
}

export type MetricSettings = Readonly<Record<Reporter, ReporterSettings>>;

const ALL: ReporterSettings = Object.freeze({
  groups: [{ metrics: new Set<StandardMetric>(STANDARD_METRICS), tags: {} }],
  detailed: false,
});
const NONE: ReporterSettings = Object.freeze({ groups: [], detailed: false });

/** Where nothing says otherwise: everything, with Istio's labels. */
export const EVERYTHING: MetricSettings = Object.freeze({ source: ALL, destination: ALL });
const NOTHING: MetricSettings = Object.freeze({ source: NONE, destination: NONE });

/** Istio's own, of which MeshConfig may have more under other names. What other providers are to count is none of ours. */
function isPrometheus({ extensionProviders }: MeshConfig, name: string): boolean {
  const written = extensionProviders?.find((one) => one.name === name);
  return written === undefined ? name === 'prometheus' : written.kind === 'other' && written.field === 'prometheus';
}

function reportersOf(mode: TelemetryMode): readonly Reporter[] {
  switch (mode) {
    case 'CLIENT_AND_SERVER':
      return ['source', 'destination'];
    case 'CLIENT':
      return ['source'];
    case 'SERVER':
      return ['destination'];
    default:
      return mode satisfies never;
  }
}

interface Change {
  disabled: boolean;
  readonly tags: Map<string, TagOverride>;
}

/** Of one end: what the rules so far say. */
class Merged {
  #off = false;
  readonly #changes = new Map<StandardMetric, Change>();

  /** All off stays until a later rule speaks of any metric of this end, as in Istio. */
  apply({ metrics, disabled, tags }: MetricsRule['overrides'][number]): void {
    if (metrics === undefined && disabled === true) {
      this.#off = true;
      return;
    }
    this.#off = false;
    for (const metric of metrics ?? STANDARD_METRICS) {
      const change = this.#changes.get(metric) ?? { disabled: false, tags: new Map<string, TagOverride>() };
      if (disabled !== undefined) change.disabled = disabled;
      for (const [name, tag] of Object.entries(tags)) change.tags.set(name, tag);
      this.#changes.set(metric, change);
    }
  }

  settings(): ReporterSettings {
    if (this.#off) return NONE;
    if (this.#changes.size === 0) return ALL;
    const groups = new Map<string, { readonly metrics: Set<StandardMetric>; readonly tags: TagOverrides }>();
    for (const metric of STANDARD_METRICS) {
      const change = this.#changes.get(metric);
      if (change?.disabled === true) continue;
      const tags = [...(change?.tags ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
      const key = JSON.stringify(tags);
      const group = groups.get(key) ?? { metrics: new Set(), tags: Object.fromEntries(tags) };
      group.metrics.add(metric);
      groups.set(key, group);
    }
    const made = [...groups.values()];
    return { groups: made, detailed: made.some(({ tags }) => Object.values(tags).some((tag) => tag.kind === 'attribute')) };
  }
}

/**
 * What is counted of what a workload tells, by the Telemetry objects for it, the widest first: their rules are one list, of which later
 * ones win (Istio's reference "Telemetry", Metrics). The last that names providers decides who counts; rules without speak of those before.
 */
export function metricSettings(telemetries: readonly Telemetry[], mesh: MeshConfig): MetricSettings {
  const byDefault = mesh.telemetry?.defaultMetrics ?? ['prometheus'];
  const rules = telemetries.flatMap(({ metrics }) => metrics);
  const inScope = new Set(
    (rules.findLast(({ providers }) => providers.length > 0)?.providers ?? byDefault).filter((name) => isPrometheus(mesh, name)),
  );
  if (rules.length === 0) return inScope.size > 0 ? EVERYTHING : NOTHING;
  const ends = { source: new Merged(), destination: new Merged() };
  let spoken = false;
  let meant = byDefault;
  for (const { providers, overrides } of rules) {
    if (providers.length > 0) meant = providers;
    if (!meant.some((name) => inScope.has(name))) continue;
    spoken = true;
    for (const override of overrides) for (const reporter of reportersOf(override.mode)) ends[reporter].apply(override);
  }
  return spoken ? { source: ends.source.settings(), destination: ends.destination.settings() } : NOTHING;
}
