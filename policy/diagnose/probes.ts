import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { type Port, isHttp, parsePort, type Protocol } from '../../mesh/model/port.ts';
import type { Probe } from '../../mesh/model/probe.ts';
import { containerPort, type Workload } from '../../mesh/model/workload.ts';
import { evaluate, type Verdict } from '../evaluate/evaluate.ts';
import { finding } from './finding.ts';
import { nameOf, type Survey } from './survey.ts';

/** What the cluster itself asks a workload, in plain text and without an identity. */
export interface ClusterRequest {
  readonly kind: 'probe' | 'scrape';
  /** As people say it: `the readiness probe`, `Prometheus’ scrape`. */
  readonly name: string;
  /** Of the workload's object. */
  readonly field: string;
  readonly port: Port;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** False where an injector would have it come another way. */
  readonly certain: boolean;
}

type Call = Pick<ClusterRequest, 'port' | 'method' | 'path' | 'headers'>;

/** A call in plain text, from an address outside of the mesh. Undefined when it would pass, or when it cannot be told. */
export function denial(survey: Survey, workload: Workload, { port, method, path, headers }: Call): Verdict | undefined {
  const protocol: Protocol = survey.portsOf(workload).find((one) => one.port === port)?.protocol ?? 'unknown';
  const opaque = protocol === 'tcp' || protocol === 'tls' || protocol === 'https';
  const verdict = evaluate(survey.snapshot, {
    source: { principal: undefined, ip: undefined, remoteIp: undefined },
    destination: {
      namespace: workload.namespace,
      labels: workload.labels,
      ip: undefined,
      port,
      protocol: opaque ? 'TCP' : isHttp(protocol) && protocol === 'grpc' ? 'GRPC' : 'HTTP',
      sni: undefined,
    },
    http: {
      method,
      host: undefined,
      path,
      headers: new Map(Object.entries(headers).map(([name, value]) => [name, [value]])),
    },
    token: undefined,
  });
  return verdict.decision === 'DENY' ? verdict : undefined;
}

/** Rules about addresses may let the node in, whose address is not known here. */
export function dependsOnAddress(survey: Survey, workload: Workload): boolean {
  return survey
    .policiesOf(workload)
    .some(({ rules }) =>
      rules.some(
        ({ from, when }) =>
          from.some(({ ipBlocks, remoteIpBlocks }) => ipBlocks.values.length + remoteIpBlocks.values.length > 0) ||
          when.some(({ key }) => key === 'source.ip' || key === 'remote.ip'),
      ),
    );
}

export const REWRITE = 'sidecar.istio.io/rewriteAppHTTPProbers';
/** The agent's own port, to which injection points rewritten probes. */
const AGENT = 15_020;

/** Probes that come to the application's port as they are: injection was told not to rewrite them, or has been and did not. */
function isKept({ annotations, hasProxy }: Workload): boolean {
  return annotations?.[REWRITE] === 'false' || (hasProxy === true && annotations?.[REWRITE] !== 'true');
}

function probeRequest(workload: Workload, probe: Probe): readonly ClusterRequest[] {
  const number =
    typeof probe.port === 'number' ? parsePort(probe.port) : workload.ports.find(({ name }) => name === probe.port)?.port;
  const port = number === undefined ? undefined : containerPort(workload, number);
  const { method, path, headers } = probe;
  if (port === undefined || port === AGENT || path === undefined) return [];
  const name = `the ${probe.field.replace(/^.*\.(\w+)Probe\..*$/, '$1')} probe`;
  const field = `spec.${workload.meta.kind === 'Pod' ? '' : 'template.spec.'}${probe.field}`;
  return [{ kind: 'probe', name, field, port, method, path, headers, certain: true }];
}

function scrapeRequest(workload: Workload): readonly ClusterRequest[] {
  const { annotations } = workload;
  if (annotations?.['prometheus.io/scrape'] !== 'true') return [];
  const port = parsePort(Number(annotations['prometheus.io/port'] ?? workload.ports[0]?.port));
  if (port === undefined || port === AGENT || port === 15_090) return [];
  const merged = annotations['prometheus.istio.io/merge-metrics'] !== 'false' && workload.hasProxy !== true;
  const path = annotations['prometheus.io/path'] ?? '/metrics';
  const field = workload.meta.kind === 'Pod' ? 'metadata.annotations' : 'spec.template.metadata.annotations';
  return [{ kind: 'scrape', name: 'Prometheus’ scrape', field, port, method: 'GET', path, headers: {}, certain: !merged }];
}

/** What comes to the application's ports as the cluster is configured. Of probes those that nobody rewrites. */
export function clusterRequests(workload: Workload): readonly ClusterRequest[] {
  const probes = isKept(workload) ? (workload.probes ?? []) : [];
  return [...probes.flatMap((probe) => probeRequest(workload, probe)), ...scrapeRequest(workload)];
}

function denied(survey: Survey, workload: Workload, request: ClusterRequest): readonly Diagnostic[] {
  const { kind, name, field, port, method, path, certain } = request;
  const verdict = denial(survey, workload, request);
  if (verdict === undefined) return [];
  if (kind === 'probe')
    return [
      finding(
        workload.meta,
        field,
        'warning',
        'probe-denied',
        `${name} ${method} ${path} on port ${port} of ${nameOf(workload)} comes in plain text and is denied: ${verdict.reason}`,
        `remove the annotation ${REWRITE}: "false", or let everybody call ${path} on that port`,
      ),
    ];
  return [
    finding(
      workload.meta,
      field,
      certain ? 'warning' : 'info',
      'scrape-denied',
      `Prometheus' GET ${path} on port ${port} of ${nameOf(workload)} comes in plain text and is denied${certain ? '' : ', unless an injector merges the metrics'}: ${verdict.reason}`,
      `let everybody call ${path} on that port, or have Prometheus call with a certificate of the mesh`,
    ),
  ];
}

/** Policies that are asked, summed over the workloads of a namespace: beyond this calls that are denied go unsaid, since asking takes its time. */
const MOST_ASKED = 100_000;

/** Calls of the cluster itself, which have no identity, and which policies deny. */
export function clusterCalls(survey: Survey): readonly Diagnostic[] {
  let asked = 0;
  return survey.workloads.flatMap((workload) => {
    const requests = clusterRequests(workload);
    if (requests.length === 0) return [];
    asked += survey.policiesOf(workload).length;
    if (asked > MOST_ASKED || dependsOnAddress(survey, workload)) return [];
    return requests.flatMap((request) => denied(survey, workload, request));
  });
}
