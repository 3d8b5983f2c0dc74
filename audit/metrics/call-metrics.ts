import type { Observer } from '../intake/sink.ts';
import { type AccessRecord, isDenied } from '../model/record.ts';
import { denialLabels, type Ends, endsOf, keyOf, labelsOf, type LabelSet, parties, type Reporter, reporterOf } from './labels.ts';
import { exposition } from './exposition.ts';
import type { Names } from './names.ts';
import {
  addClosed,
  addOpened,
  addRequest,
  begin,
  type DenialSeries,
  end,
  labelText,
  type Metrics,
  newSeries,
  type Series,
} from './series.ts';
import { EVERYTHING, type MetricSettings, type ReporterSettings } from './settings.ts';
import { overridden } from './tags.ts';

export interface CallMetricsOptions {
  readonly names: Names;
  readonly clock: () => Date;
  /** What is counted of what a workload (`NAMESPACE/NAME`) tells; the same object as long as nothing about it changed. */
  readonly settings?: (workload: string | undefined) => MetricSettings;
  /** Sets of labels that are kept; what comes beyond them is added up under `OVERFLOW`. */
  readonly limit?: number;
  /** A series that nothing was added to for as long is forgotten. */
  readonly staleMs?: number;
}

export interface CallMetricsStats {
  readonly series: number;
  /** Records that were added up without their labels. */
  readonly overflowed: number;
  readonly forgotten: number;
}

/** What stands in each label but reporter and protocol of a series beyond the limit. */
export const OVERFLOW = 'overflow';

/** What is counted of each kind of call. */
const OF_KIND = Object.freeze({
  requests: ['REQUEST_COUNT', 'REQUEST_DURATION', 'REQUEST_SIZE', 'RESPONSE_SIZE'],
  connections: ['TCP_OPENED_CONNECTIONS', 'TCP_CLOSED_CONNECTIONS', 'TCP_SENT_BYTES', 'TCP_RECEIVED_BYTES'],
} as const);

const KEPT: readonly string[] = Object.freeze(['reporter', 'request_protocol', 'verdict']);

/** How a record was named the last time, and by what words of configuration. */
interface Known extends Ends {
  readonly settings: ReporterSettings;
  readonly targets: readonly Target[];
}

/** Where some metrics of a record are added up. */
interface Target {
  readonly series: Series;
  readonly metrics: Metrics;
}

/** Of a connection, whether it begins, ends, or both. */
type Part = 'beginning' | 'end' | 'whole';

/**
 * Istio's standard metrics, added up from access records. Series are bounded by what the mesh has configured (no label holds what a caller may
 * choose), by a limit, and by time. The text of labels is made once for a series; a record costs one key and one look-up, and three more
 * to see that configuration still says the same.
 */
export class CallMetrics implements Observer {
  readonly #options: Required<CallMetricsOptions>;
  readonly #known = new Map<string, Known>();
  readonly #series = new Map<string, Series>();
  /** Those beyond the limit, by reporter and protocol: eight at most. */
  readonly #rest = new Map<string, Series>();
  #overflowed = 0;
  #forgotten = 0;

  constructor(options: CallMetricsOptions) {
    this.#options = { limit: 5_000, staleMs: 3_600_000, settings: () => EVERYTHING, ...options };
  }

  get stats(): CallMetricsStats {
    return { series: this.#series.size, overflowed: this.#overflowed, forgotten: this.#forgotten };
  }

  /** In Prometheus' text format, in pieces, without what is forgotten by now. */
  exposition(): Generator<string> {
    this.#forget(this.#options.clock().getTime());
    return exposition(() => this.#series.values());
  }

  observe(records: readonly AccessRecord[]): void {
    const now = this.#options.clock().getTime();
    for (const record of records) {
      this.#addDenials(record, now);
      this.#add(record, record.announced === true ? 'end' : 'whole', now);
    }
  }

  announced(records: readonly AccessRecord[]): void {
    const now = this.#options.clock().getTime();
    for (const record of records) this.#add(record, 'beginning', now);
  }

  #add(record: AccessRecord, part: Part, now: number): void {
    const reporter = reporterOf(record);
    if (reporter === undefined) return;
    for (const { series, metrics } of this.#targetsOf(record, reporter, now)) {
      series.touched = now;
      switch (series.kind) {
        case 'requests':
          addRequest(series, record, metrics);
          break;
        case 'connections':
          if (part !== 'end') addOpened(series, metrics);
          if (part !== 'beginning') addClosed(series, record, metrics);
          break;
        case 'denied':
        case 'would-be-denied':
          break;
        default:
          series satisfies never;
      }
    }
  }

  /** Drops what nothing was added to for too long: Prometheus then says that it ended. */
  #forget(now: number): void {
    const oldest = now - this.#options.staleMs;
    for (const [text, series] of this.#series) {
      if (series.touched >= oldest) continue;
      this.#series.delete(text);
      this.#forgotten++;
    }
    // Also of what overflowed: there may be room now.
    for (const [key, { targets }] of this.#known)
      if (targets.some(({ series }) => series.overflow || this.#series.get(seriesId(series)) !== series)) this.#known.delete(key);
  }

  /** By the proxy that decided. These are few, or should be: their labels are made for each. */
  #addDenials(record: AccessRecord, now: number): void {
    if (record.hop !== 'in') return;
    const { verdict, marks } = record;
    if (isDenied(verdict)) this.#deny('denied', record, verdict.kind, 'by' in verdict ? (verdict.by?.policy ?? '') : '', now);
    for (const mark of marks ?? [])
      if (mark.kind === 'would-deny') this.#deny('would-be-denied', record, mark.kind, mark.by.policy, now);
      else if (mark.kind === 'would-deny-no-rule') this.#deny('would-be-denied', record, mark.kind, '', now);
  }

  #deny(kind: DenialSeries['kind'], record: AccessRecord, verdict: string, policy: string, now: number): void {
    const labels = denialLabels(record, this.#options.names, verdict, policy);
    const series = this.#bounded(kind, labels, labels, now);
    if (series.overflow) this.#overflowed++;
    if (series.kind !== kind) return;
    series.touched = now;
    series.calls++;
  }

  #targetsOf(record: AccessRecord, reporter: Reporter, now: number): readonly Target[] {
    const ends = endsOf(record, this.#options.names);
    const settings = this.#settingsOf(record, reporter);
    const detail = settings.detailed ? `${record.method}\n${record.port ?? ''}\n` : '';
    const key = keyOf(record, reporter) + detail + (ends.service?.host ?? '');
    const known = this.#known.get(key);
    if (
      known !== undefined &&
      known.settings === settings &&
      known.source === ends.source &&
      known.destination === ends.destination &&
      known.service === ends.service
    ) {
      if (overflows(known.targets)) this.#overflowed++;
      return known.targets;
    }
    // Far beyond the limit nothing is named any more: that costs more than all the rest.
    if (known === undefined && this.#known.size >= this.#mostKnown && this.#series.size >= this.#options.limit) {
      const rest = this.#rest.get(`${reporter} ${record.protocol}`);
      if (rest !== undefined && this.#series.get(seriesId(rest)) === rest) {
        this.#overflowed++;
        return settings.groups.map(({ metrics }) => ({ series: rest, metrics }));
      }
    }
    const targets = this.#named(record, reporter, ends, settings, now);
    if (known !== undefined && known.settings !== settings) this.#ended(known.targets, targets);
    if (overflows(targets)) this.#overflowed++;
    for (const { series } of targets) if (series.overflow) this.#rest.set(`${reporter} ${record.protocol}`, series);
    if (targets.length === 0) this.#known.delete(key);
    else if (known !== undefined || this.#known.size < this.#mostKnown) this.#known.set(key, { ...ends, settings, targets });
    return targets;
  }

  #settingsOf(record: AccessRecord, reporter: Reporter): ReporterSettings {
    const { source, destination } = parties(record);
    return this.#options.settings((reporter === 'source' ? source : destination)?.workload)[reporter];
  }

  /** What a Telemetry switched off does not stand on with its last value. Other records that have it, if any, begin it anew. */
  #ended(before: readonly Target[], after: readonly Target[]): void {
    for (const { series, metrics } of before) {
      if (series.overflow) continue;
      for (const metric of metrics)
        if (!after.some((target) => target.series === series && target.metrics.has(metric))) end(series, metric);
    }
  }

  /** Several keys may have the same labels. */
  get #mostKnown(): number {
    return 4 * this.#options.limit;
  }

  #named(record: AccessRecord, reporter: Reporter, ends: Ends, { groups }: ReporterSettings, now: number): readonly Target[] {
    const kind = record.protocol === 'TCP' ? 'connections' : 'requests';
    const labels = labelsOf(record, reporter, ends);
    return groups
      .filter(({ metrics }) => OF_KIND[kind].some((metric) => metrics.has(metric)))
      .map(({ metrics, tags }) => {
        const series = this.#bounded(kind, overridden(labels, tags, record, reporter), labels, now);
        begin(series, metrics);
        return { series, metrics };
      });
  }

  /** Beyond the limit what kind of call it was is all that is left, whatever is written of labels. */
  #bounded(kind: Series['kind'], labels: LabelSet, standard: LabelSet, now: number): Series {
    const found = this.#of(kind, labels, now, false);
    if (found !== undefined) return found;
    const blurred: LabelSet = Object.fromEntries(
      Object.entries(standard).map(([label, value]) => [label, KEPT.includes(label) ? value : OVERFLOW]),
    );
    const rest = this.#of(kind, blurred, now, true);
    if (rest === undefined) throw new Error('a series without a limit was refused');
    return rest;
  }

  #of(kind: Series['kind'], labels: LabelSet, now: number, overflow: boolean): Series | undefined {
    const text = labelText(labels);
    const id = `${kind} ${text}`;
    const there = this.#series.get(id);
    if (there !== undefined || (!overflow && this.#series.size >= this.#options.limit)) return there;
    const made = newSeries(kind, text, overflow, now);
    this.#series.set(id, made);
    return made;
  }
}

function overflows(targets: readonly Target[]): boolean {
  return targets.some(({ series }) => series.overflow);
}

function seriesId({ kind, text }: Series): string {
  return `${kind} ${text}`;
}
