import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { type Port, isHttp, parsePort, type Protocol } from '../../mesh/model/port.ts';
import type { Probe } from '../../mesh/model/probe.ts';
import { containerPort, type Workload } from '../../mesh/model/workload.ts';
import { evaluate, type Verdict } from '../evaluate/evaluate.ts';
import { finding } from './finding.ts';
import { nameOf, type Survey } from './survey.ts';

interface Call {
  readonly port: Port;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A call in plain text, from an address outside of the mesh. Undefined when it would pass, or when it cannot be told. */
function denial(survey: Survey, workload: Workload, { port, method, path, headers }: Call): Verdict | undefined {
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
function dependsOnAddress(survey: Survey, workload: Workload): boolean {
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

const REWRITE = 'sidecar.istio.io/rewriteAppHTTPProbers';
/** The agent's own port, to which injection points rewritten probes. */
const AGENT = 15_020;

/** Probes that come to the application's port as they are: injection was told not to rewrite them, or has been and did not. */
function isKept({ annotations, hasProxy }: Workload): boolean {
  return annotations?.[REWRITE] === 'false' || (hasProxy === true && annotations?.[REWRITE] !== 'true');
}

function ofProbe(survey: Survey, workload: Workload, probe: Probe): readonly Diagnostic[] {
  const number =
    typeof probe.port === 'number' ? parsePort(probe.port) : workload.ports.find(({ name }) => name === probe.port)?.port;
  const port = number === undefined ? undefined : containerPort(workload, number);
  if (port === undefined || port === AGENT || probe.path === undefined) return [];
  const denied = denial(survey, workload, { port, method: probe.method, path: probe.path, headers: probe.headers });
  if (denied === undefined) return [];
  const name = probe.field.replace(/^.*\.(\w+)Probe\..*$/, '$1');
  return [
    finding(
      workload.meta,
      `spec.${workload.meta.kind === 'Pod' ? '' : 'template.spec.'}${probe.field}`,
      'warning',
      'probe-denied',
      `the ${name} probe ${probe.method} ${probe.path} on port ${port} of ${nameOf(workload)} comes in plain text and is denied: ${denied.reason}`,
      `remove the annotation ${REWRITE}: "false", or let everybody call ${probe.path} on that port`,
    ),
  ];
}

function ofScrape(survey: Survey, workload: Workload): readonly Diagnostic[] {
  const { annotations } = workload;
  if (annotations?.['prometheus.io/scrape'] !== 'true') return [];
  const written = annotations['prometheus.io/port'];
  const port = parsePort(Number(written ?? workload.ports[0]?.port));
  if (port === undefined || port === AGENT || port === 15_090) return [];
  const merged = annotations['prometheus.istio.io/merge-metrics'] !== 'false' && workload.hasProxy !== true;
  const path = annotations['prometheus.io/path'] ?? '/metrics';
  const denied = denial(survey, workload, { port, method: 'GET', path, headers: {} });
  if (denied === undefined) return [];
  return [
    finding(
      workload.meta,
      workload.meta.kind === 'Pod' ? 'metadata.annotations' : 'spec.template.metadata.annotations',
      merged ? 'info' : 'warning',
      'scrape-denied',
      `Prometheus' GET ${path} on port ${port} of ${nameOf(workload)} comes in plain text and is denied${merged ? ', unless an injector merges the metrics' : ''}: ${denied.reason}`,
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
    const probes = isKept(workload) ? (workload.probes ?? []) : [];
    if (probes.length === 0 && workload.annotations?.['prometheus.io/scrape'] === undefined) return [];
    asked += survey.policiesOf(workload).length;
    if (asked > MOST_ASKED || dependsOnAddress(survey, workload)) return [];
    return [...probes.flatMap((probe) => ofProbe(survey, workload, probe)), ...ofScrape(survey, workload)];
  });
}
