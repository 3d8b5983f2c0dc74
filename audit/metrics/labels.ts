import { workloadOf } from '../../ca/identity/spiffe-id.ts';
import type { AccessRecord, Party } from '../model/record.ts';
import { NOBODY, type Names, type ServiceNames, UNKNOWN, type WorkloadNames } from './names.ts';

/** Which end of a call told of it. Gateways tell of what they send on, as Istio's do. */
export type Reporter = 'source' | 'destination';

/** Istio's standard labels, as its reference "Istio Standard Metrics" has them, and two of ours. */
export const LABELS = Object.freeze([
  'reporter',
  'source_workload',
  'source_workload_namespace',
  'source_principal',
  'source_app',
  'source_version',
  'source_canonical_service',
  'source_canonical_revision',
  'source_cluster',
  'destination_workload',
  'destination_workload_namespace',
  'destination_principal',
  'destination_app',
  'destination_version',
  'destination_service',
  'destination_service_name',
  'destination_service_namespace',
  'destination_canonical_service',
  'destination_canonical_revision',
  'destination_cluster',
  'request_protocol',
  'response_code',
  'grpc_response_status',
  'response_flags',
  'connection_security_policy',
  // Of our own metrics.
  'verdict',
  'policy',
] as const);

/** Those of `LABELS`, and what a Telemetry adds. */
export type LabelSet = Readonly<Record<string, string | undefined>>;

/** Undefined: what a gateway was sent and sent on, of which the record of the hop out tells. */
export function reporterOf(record: AccessRecord): Reporter | undefined {
  if (record.side !== 'gateway') return record.hop === 'in' ? 'destination' : 'source';
  return record.hop === 'out' || record.onward !== true ? 'source' : undefined;
}

/** Configuration's words for both ends and the service of a record. */
export interface Ends {
  readonly source: WorkloadNames | undefined;
  readonly destination: WorkloadNames | undefined;
  readonly service: ServiceNames | undefined;
}

/** A gateway that sent nothing on is where the call came from, as far as metrics go: nobody else was reached. */
export function parties(record: AccessRecord): { readonly source: Party; readonly destination: Party | undefined } {
  return record.side === 'gateway' && record.hop === 'in'
    ? { source: record.destination, destination: undefined }
    : { source: record.source, destination: record.destination };
}

export function endsOf(record: AccessRecord, names: Names): Ends {
  const { source, destination } = parties(record);
  return {
    source: source.workload === undefined ? undefined : names.workload(source.workload),
    destination: destination?.workload === undefined ? undefined : names.workload(destination.workload),
    service: destination === undefined || record.service === undefined ? undefined : names.service(record.service),
  };
}

/**
 * Who has several workloads, or none that is known now, still has a namespace. A caller that showed no identity and has no proxy to tell of
 * the call is unknown, though an address may say more: Kiali looks for such calls under that word only.
 */
function named(known: WorkloadNames | undefined, party: Party | undefined, reporter: Reporter): WorkloadNames {
  if (reporter === 'destination' && party?.principal === undefined && known?.meshed === false) return NOBODY;
  const owner = party?.principal === undefined ? undefined : workloadOf(party.principal);
  return known ?? (owner === undefined ? NOBODY : { ...NOBODY, namespace: owner.namespace });
}

/** Hosts that are no service of the mesh are not told apart: callers choose them. */
function serviceOf(record: AccessRecord, { service }: Ends): ServiceNames {
  if (service !== undefined) return service;
  const toUnknown = record.side === 'outbound' && record.hop === 'out';
  const name = toUnknown ? (record.reached ? 'PassthroughCluster' : 'BlackHoleCluster') : UNKNOWN;
  return { host: UNKNOWN, name, namespace: UNKNOWN };
}

function policyOf(record: AccessRecord, reporter: Reporter): string {
  if (reporter === 'source') return UNKNOWN;
  return record.mtls ? 'mutual_tls' : 'none';
}

export function labelsOf(record: AccessRecord, reporter: Reporter, ends: Ends): LabelSet {
  const { source: from, destination: to } = parties(record);
  const source = named(ends.source, from, reporter);
  const destination = named(ends.destination, to, reporter);
  const service = serviceOf(record, ends);
  const tcp = record.protocol === 'TCP';
  return {
    reporter,
    source_workload: source.name,
    source_workload_namespace: source.namespace,
    source_principal: from.principal ?? UNKNOWN,
    source_app: source.app,
    source_version: source.version,
    source_canonical_service: source.canonicalService,
    source_canonical_revision: source.canonicalRevision,
    source_cluster: source.cluster,
    destination_workload: destination.name,
    destination_workload_namespace: destination.namespace,
    destination_principal: to?.principal ?? UNKNOWN,
    destination_app: destination.app,
    destination_version: destination.version,
    destination_service: service.host,
    destination_service_name: service.name,
    destination_service_namespace: service.namespace,
    destination_canonical_service: destination.canonicalService,
    destination_canonical_revision: destination.canonicalRevision,
    destination_cluster: destination.cluster,
    request_protocol: tcp ? 'tcp' : record.protocol === 'GRPC' ? 'grpc' : 'http',
    ...(tcp
      ? {}
      : {
          response_code: String(record.status),
          grpc_response_status: record.grpcStatus === undefined ? '' : String(record.grpcStatus),
        }),
    response_flags: record.flags.length === 0 ? '-' : record.flags.join(','),
    connection_security_policy: policyOf(record, reporter),
  };
}

/** All that labels are made of besides configuration: one text for the records that share them. */
export function keyOf(record: AccessRecord, reporter: Reporter): string {
  const { source, destination } = record;
  // Nothing that is joined contains a line break, but for what callers choose, which stands alone: the host, once it is known.
  return `${reporter}\n${record.side}\n${source.principal ?? ''}\n${source.workload ?? ''}\n${destination.principal ?? ''}\n${
    destination.workload ?? ''
  }\n${record.protocol}\n${record.status}\n${record.grpcStatus ?? ''}\n${record.mtls ? 1 : 0}${record.reached ? 1 : 0}\n${
    record.flags.length === 0 ? '' : record.flags.join()
  }\n`;
}

/** Whom policies denied, or would have denied, and which. */
export function denialLabels(
  { source, destination, mtls }: AccessRecord,
  names: Names,
  verdict: string,
  policy: string,
): LabelSet {
  const from = named(source.workload === undefined ? undefined : names.workload(source.workload), source, 'destination');
  const to = named(
    destination.workload === undefined ? undefined : names.workload(destination.workload),
    destination,
    'destination',
  );
  return {
    source_workload: from.name,
    source_workload_namespace: from.namespace,
    source_principal: source.principal ?? UNKNOWN,
    destination_workload: to.name,
    destination_workload_namespace: to.namespace,
    connection_security_policy: mtls ? 'mutual_tls' : 'none',
    verdict,
    policy,
  };
}
