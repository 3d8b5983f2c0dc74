import type { StandardMetric } from '../../mesh/model/telemetry.ts';
import { type Histogram, histogram, observe } from './buckets.ts';
import { LABELS, type LabelSet } from './labels.ts';

interface Common {
  /** As the exposition format has them, without braces. */
  readonly text: string;
  /** Stands for all that is beyond the limit. */
  readonly overflow: boolean;
  /** When it was last added to, in ms since the epoch. */
  touched: number;
}

/** A metric is undefined until it is first wanted, and again when configuration wants it no more. */
export interface RequestSeries extends Common {
  readonly kind: 'requests';
  requests: number | undefined;
  duration: Histogram | undefined;
  requestBytes: Histogram | undefined;
  responseBytes: Histogram | undefined;
}

/** As with requests. */
export interface ConnectionSeries extends Common {
  readonly kind: 'connections';
  opened: number | undefined;
  closed: number | undefined;
  sent: number | undefined;
  received: number | undefined;
}

export interface DenialSeries extends Common {
  readonly kind: 'denied' | 'would-be-denied';
  calls: number;
}

export type Series = RequestSeries | ConnectionSeries | DenialSeries;
export type Metrics = ReadonlySet<StandardMetric>;

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`));
}

const KNOWN: ReadonlySet<string> = new Set(LABELS);

/** Istio's labels in their order, then others by name. */
export function labelText(labels: LabelSet): string {
  const others = Object.keys(labels).filter((label) => !KNOWN.has(label));
  return [...LABELS, ...others.sort()]
    .flatMap((label) => (labels[label] === undefined ? [] : [`${label}="${escaped(labels[label])}"`]))
    .join(',');
}

export function newSeries(kind: Series['kind'], text: string, overflow: boolean, now: number): Series {
  const common = { text, overflow, touched: now };
  switch (kind) {
    case 'requests':
      return { ...common, kind, requests: undefined, duration: undefined, requestBytes: undefined, responseBytes: undefined };
    case 'connections':
      return { ...common, kind, opened: undefined, closed: undefined, sent: undefined, received: undefined };
    case 'denied':
    case 'would-be-denied':
      return { ...common, kind, calls: 0 };
    default:
      return kind satisfies never;
  }
}

/** What counts begins at 0: Prometheus sees no increase in what is there with its first value. */
export function begin(series: Series, metrics: Metrics): void {
  if (series.kind !== 'connections') return;
  if (metrics.has('TCP_OPENED_CONNECTIONS')) series.opened ??= 0;
  if (metrics.has('TCP_CLOSED_CONNECTIONS')) series.closed ??= 0;
  if (metrics.has('TCP_SENT_BYTES')) series.sent ??= 0;
  if (metrics.has('TCP_RECEIVED_BYTES')) series.received ??= 0;
}

/** Forgets what is counted no more. */
export function end(series: Series, metric: StandardMetric): void {
  if (series.kind === 'requests') {
    if (metric === 'REQUEST_COUNT') series.requests = undefined;
    if (metric === 'REQUEST_DURATION') series.duration = undefined;
    if (metric === 'REQUEST_SIZE') series.requestBytes = undefined;
    if (metric === 'RESPONSE_SIZE') series.responseBytes = undefined;
  } else if (series.kind === 'connections') {
    if (metric === 'TCP_OPENED_CONNECTIONS') series.opened = undefined;
    if (metric === 'TCP_CLOSED_CONNECTIONS') series.closed = undefined;
    if (metric === 'TCP_SENT_BYTES') series.sent = undefined;
    if (metric === 'TCP_RECEIVED_BYTES') series.received = undefined;
  }
}

export interface Amounts {
  readonly durationUs: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

export function addRequest(to: RequestSeries, { durationUs, bytesReceived, bytesSent }: Amounts, metrics: Metrics): void {
  if (metrics.has('REQUEST_COUNT')) to.requests = (to.requests ?? 0) + 1;
  if (metrics.has('REQUEST_DURATION')) observe((to.duration ??= histogram()), durationUs / 1000);
  if (metrics.has('REQUEST_SIZE')) observe((to.requestBytes ??= histogram()), bytesReceived);
  if (metrics.has('RESPONSE_SIZE')) observe((to.responseBytes ??= histogram()), bytesSent);
}

export function addOpened(to: ConnectionSeries, metrics: Metrics): void {
  if (metrics.has('TCP_OPENED_CONNECTIONS')) to.opened = (to.opened ?? 0) + 1;
}

export function addClosed(to: ConnectionSeries, { bytesReceived, bytesSent }: Amounts, metrics: Metrics): void {
  if (metrics.has('TCP_CLOSED_CONNECTIONS')) to.closed = (to.closed ?? 0) + 1;
  if (metrics.has('TCP_SENT_BYTES')) to.sent = (to.sent ?? 0) + bytesSent;
  if (metrics.has('TCP_RECEIVED_BYTES')) to.received = (to.received ?? 0) + bytesReceived;
}
