// What Kiali and Istio's dashboards ask Prometheus, as we understand it, in our own words: who asks, and the shape of the question.
// Facts from Kiali's graph/telemetry/istio and prometheus packages and from Istio's manifests/addons/dashboards.

const EDGE = [
  'source_cluster',
  'source_workload_namespace',
  'source_workload',
  'source_canonical_service',
  'source_canonical_revision',
  'destination_cluster',
  'destination_service_namespace',
  'destination_service',
  'destination_service_name',
  'destination_workload_namespace',
  'destination_workload',
  'destination_canonical_service',
  'destination_canonical_revision',
];
/** Labels without which Kiali leaves an edge out. */
export const EDGE_LABELS: readonly string[] = EDGE;

const edges = (metric: string, matchers: string, window: string, further: readonly string[]): string =>
  `sum by (${[...EDGE, ...further].join(', ')}) (rate(${metric}{${matchers}}[${window}])) > 0`;

/** Kiali's graph of a namespace is three questions: callers unknown to the mesh, callers of other namespaces, its own callers. */
export function graphQuestions(metric: string, namespace: string, window: string, further: readonly string[]): readonly string[] {
  return [
    `reporter="destination",source_workload="unknown",destination_workload_namespace="${namespace}"`,
    `reporter="source",source_workload_namespace!="${namespace}",source_workload!="unknown",destination_service_namespace="${namespace}"`,
    `reporter="source",source_workload_namespace="${namespace}"`,
  ].map((matchers) => edges(metric, matchers, window, further));
}

export const REQUEST_FURTHER: readonly string[] = ['request_protocol', 'response_code', 'grpc_response_status', 'response_flags'];
export const TCP_FURTHER: readonly string[] = ['response_flags'];

/** Kiali's padlocks: which edges are encrypted, and between whom. */
export function securityQuestion(namespace: string, window: string): string {
  return edges('istio_requests_total', `reporter="destination",destination_workload_namespace="${namespace}"`, window, [
    'source_principal',
    'destination_principal',
    'connection_security_policy',
  ]);
}

/** Kiali's response times on edges: a quantile, and the mean. */
export function responseTimeQuestions(namespace: string, window: string, quantile: number): readonly [string, string] {
  const of = `reporter="source",source_workload_namespace="${namespace}"`;
  const by = EDGE.join(', ');
  const name = 'istio_request_duration_milliseconds';
  return [
    `histogram_quantile(${quantile}, sum by (le, ${by}) (rate(${name}_bucket{${of}}[${window}]))) > 0`,
    `sum by (${by}) (rate(${name}_sum{${of}}[${window}])) / sum by (${by}) (rate(${name}_count{${of}}[${window}])) > 0`,
  ];
}

/** Kiali's throughput on edges. */
export function throughputQuestion(namespace: string, window: string, direction: 'request' | 'response'): string {
  return edges(`istio_${direction}_bytes_sum`, `reporter="source",source_workload_namespace="${namespace}"`, window, []);
}

/** Kiali's health of a service, an app, a workload: rates as they are, by code. */
export function healthQuestion(matchers: string, window: string): string {
  return `rate(istio_requests_total{${matchers}}[${window}]) > 0`;
}

/** What Istio's mesh dashboard shows of the whole mesh. */
export function meshQuestions(window: string): Readonly<Record<'requests' | 'success' | '4xx' | '5xx', string>> {
  const rate = (code: string): string => `sum(rate(istio_requests_total{reporter=~"source|waypoint"${code}}[${window}]))`;
  return {
    requests: `round(${rate('')}, 0.01)`,
    success: `${rate(',response_code!~"5.."')} / ${rate('')}`,
    '4xx': `round(${rate(',response_code=~"4.."')}, 0.01) or vector(0)`,
    '5xx': `round(${rate(',response_code=~"5.."')}, 0.01) or vector(0)`,
  };
}
