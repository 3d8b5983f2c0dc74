import type { Observer } from '../intake/sink.ts';
import { type AccessRecord, isDenied } from '../model/record.ts';
import { denialLabels, type Ends, endsOf, keyOf, labelsOf, type LabelSet, type Reporter, reporterOf } from './labels.ts';
import { exposition } from './exposition.ts';
import type { Names } from './names.ts';
import { addRequest, type DenialSeries, labelText, newSeries, type Series } from './series.ts';

export interface CallMetricsOptions {
  readonly names: Names;
  readonly clock: () => Date;
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

const KEPT: readonly string[] = Object.freeze(['reporter', 'request_protocol', 'verdict']);

/** How a record was named the last time, and by what words of configuration. */
interface Known extends Ends {
  readonly series: Series;
}

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
    this.#options = { limit: 5_000, staleMs: 3_600_000, ...options };
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
    for (const record of records) this.#add(record, now);
  }

  #add(record: AccessRecord, now: number): void {
    this.#addDenials(record, now);
    const reporter = reporterOf(record);
    if (reporter === undefined) return;
    const series = this.#seriesOf(record, reporter, now);
    series.touched = now;
    switch (series.kind) {
      case 'requests':
        return addRequest(series, record);
      case 'connections':
        series.opened++;
        series.closed++;
        series.sent += record.bytesSent;
        series.received += record.bytesReceived;
        return undefined;
      case 'denied':
      case 'would-be-denied':
        return undefined;
      default:
        return series satisfies never;
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
    for (const [key, { series }] of this.#known)
      if (overflows(series) || this.#series.get(seriesId(series)) !== series) this.#known.delete(key);
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
    const series = this.#bounded(kind, denialLabels(record, this.#options.names, verdict, policy), now);
    if (series.kind !== kind) return;
    series.touched = now;
    series.calls++;
  }

  #seriesOf(record: AccessRecord, reporter: Reporter, now: number): Series {
    const ends = endsOf(record, this.#options.names);
    const key = keyOf(record, reporter) + (ends.service?.host ?? '');
    const known = this.#known.get(key);
    if (
      known !== undefined &&
      known.source === ends.source &&
      known.destination === ends.destination &&
      known.service === ends.service
    ) {
      if (overflows(known.series)) this.#overflowed++;
      return known.series;
    }
    // Far beyond the limit nothing is named any more: that costs more than all the rest.
    if (known === undefined && this.#known.size >= this.#mostKnown && this.#series.size >= this.#options.limit) {
      const rest = this.#rest.get(`${reporter} ${record.protocol}`);
      if (rest !== undefined && this.#series.get(seriesId(rest)) === rest) {
        this.#overflowed++;
        return rest;
      }
    }
    const series = this.#named(record, reporter, ends, now);
    if (overflows(series)) this.#rest.set(`${reporter} ${record.protocol}`, series);
    if (known !== undefined || this.#known.size < this.#mostKnown) this.#known.set(key, { ...ends, series });
    return series;
  }

  /** Several keys may have the same labels. */
  get #mostKnown(): number {
    return 4 * this.#options.limit;
  }

  #named(record: AccessRecord, reporter: Reporter, ends: Ends, now: number): Series {
    const kind = record.protocol === 'TCP' ? 'connections' : 'requests';
    return this.#bounded(kind, labelsOf(record, reporter, ends), now);
  }

  /** Beyond the limit what kind of call it was is all that is left. */
  #bounded(kind: Series['kind'], labels: LabelSet, now: number): Series {
    const found = this.#of(kind, labels, now, this.#options.limit);
    if (found !== undefined) return found;
    this.#overflowed++;
    const blurred: LabelSet = Object.fromEntries(
      Object.entries(labels).map(([label, value]) => [label, KEPT.includes(label) ? value : OVERFLOW]),
    );
    const rest = this.#of(kind, blurred, now, Number.POSITIVE_INFINITY);
    if (rest === undefined) throw new Error('a series without a limit was refused');
    return rest;
  }

  #of(kind: Series['kind'], labels: LabelSet, now: number, limit: number): Series | undefined {
    const text = labelText(labels);
    const id = `${kind} ${text}`;
    const there = this.#series.get(id);
    if (there !== undefined || this.#series.size >= limit) return there;
    const made = newSeries(kind, labels, text, now);
    this.#series.set(id, made);
    return made;
  }
}

function overflows({ labels }: Series): boolean {
  return labels.response_flags === OVERFLOW;
}

function seriesId({ kind, text }: Series): string {
  return `${kind} ${text}`;
}
