import { type Histogram, histogram, observe } from './buckets.ts';
import { LABELS, type LabelSet } from './labels.ts';

interface Common {
  readonly labels: LabelSet;
  /** As the exposition format has them, without braces. */
  readonly text: string;
  /** When it was last added to, in ms since the epoch. */
  touched: number;
}

export interface RequestSeries extends Common {
  readonly kind: 'requests';
  requests: number;
  readonly duration: Histogram;
  readonly requestBytes: Histogram;
  readonly responseBytes: Histogram;
}

export interface ConnectionSeries extends Common {
  readonly kind: 'connections';
  opened: number;
  closed: number;
  sent: number;
  received: number;
}

export interface DenialSeries extends Common {
  readonly kind: 'denied' | 'would-be-denied';
  calls: number;
}

export type Series = RequestSeries | ConnectionSeries | DenialSeries;

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`));
}

export function labelText(labels: LabelSet): string {
  return LABELS.flatMap((label) => (labels[label] === undefined ? [] : [`${label}="${escaped(labels[label])}"`])).join(',');
}

export function newSeries(kind: Series['kind'], labels: LabelSet, text: string, now: number): Series {
  const common = { labels, text, touched: now };
  switch (kind) {
    case 'requests':
      return { ...common, kind, requests: 0, duration: histogram(), requestBytes: histogram(), responseBytes: histogram() };
    case 'connections':
      return { ...common, kind, opened: 0, closed: 0, sent: 0, received: 0 };
    case 'denied':
    case 'would-be-denied':
      return { ...common, kind, calls: 0 };
    default:
      return kind satisfies never;
  }
}

export interface Amounts {
  readonly durationUs: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

export function addRequest(to: RequestSeries, { durationUs, bytesReceived, bytesSent }: Amounts): void {
  to.requests++;
  observe(to.duration, durationUs / 1000);
  observe(to.requestBytes, bytesReceived);
  observe(to.responseBytes, bytesSent);
}
