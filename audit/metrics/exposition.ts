import { BOUNDS, type Histogram } from './buckets.ts';
import type { ConnectionSeries, DenialSeries, RequestSeries, Series } from './series.ts';

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'histogram';
  /** Lines of one series. */
  readonly lines: (series: Series) => string;
}

const counter = (name: string, help: string, read: (series: Series) => number | undefined): Family => ({
  name,
  help,
  type: 'counter',
  lines: (series) => {
    const value = read(series);
    return value === undefined ? '' : `${name}{${series.text}} ${value}\n`;
  },
});

const histogram = (name: string, help: string, read: (series: RequestSeries) => Histogram | undefined): Family => ({
  name,
  help,
  type: 'histogram',
  lines: (series) => {
    if (series.kind !== 'requests') return '';
    const kept = read(series);
    if (kept === undefined) return '';
    const { counts, sum } = kept;
    let text = '';
    let total = 0;
    for (let at = 0; at < counts.length; at++) {
      total += counts[at] ?? 0;
      text += `${name}_bucket{${series.text},le="${BOUNDS[at] ?? '+Inf'}"} ${total}\n`;
    }
    return `${text}${name}_sum{${series.text}} ${sum}\n${name}_count{${series.text}} ${total}\n`;
  },
});

const requests = (read: (series: RequestSeries) => number | undefined) => (series: Series) =>
  series.kind === 'requests' ? read(series) : undefined;
const connections = (read: (series: ConnectionSeries) => number | undefined) => (series: Series) =>
  series.kind === 'connections' ? read(series) : undefined;

const denials = (kind: DenialSeries['kind']) => (series: Series) => (series.kind === kind ? series.calls : undefined);

/** In Istio's names, kinds and units; ours at the end. */
const FAMILIES: readonly Family[] = Object.freeze([
  counter(
    'istio_requests_total',
    'requests, by both proxies that saw them',
    requests((series) => series.requests),
  ),
  histogram('istio_request_duration_milliseconds', 'how long requests took', ({ duration }) => duration),
  histogram('istio_request_bytes', 'size of requests with their headers', ({ requestBytes }) => requestBytes),
  histogram('istio_response_bytes', 'size of responses with their headers', ({ responseBytes }) => responseBytes),
  counter(
    'istio_tcp_connections_opened_total',
    'TCP connections that were opened',
    connections(({ opened }) => opened),
  ),
  counter(
    'istio_tcp_connections_closed_total',
    'TCP connections that ended',
    connections(({ closed }) => closed),
  ),
  counter(
    'istio_tcp_sent_bytes_total',
    'bytes that the server sent',
    connections(({ sent }) => sent),
  ),
  counter(
    'istio_tcp_received_bytes_total',
    'bytes that the server received',
    connections(({ received }) => received),
  ),
  counter('gatehouse_denied_calls_total', 'requests and connections that policies denied', denials('denied')),
  counter(
    'gatehouse_would_be_denied_calls_total',
    'requests and connections that policies would have denied, were they no dry runs',
    denials('would-be-denied'),
  ),
]);

/** So much text at a time, so that nothing else waits long. */
const CHUNK = 64 * 1024;

/** The metrics in Prometheus' text format, in pieces. A series may be added to between two pieces, never within one histogram. */
export function* exposition(all: () => Iterable<Series>): Generator<string> {
  for (const { name, help, type, lines } of FAMILIES) {
    let piece = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    for (const series of all()) {
      piece += lines(series);
      if (piece.length < CHUNK) continue;
      yield piece;
      piece = '';
    }
    yield piece;
  }
}
