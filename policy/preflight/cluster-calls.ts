import { keyOf } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { type ClusterRequest, clusterRequests, denial, dependsOnAddress, REWRITE } from '../diagnose/probes.ts';
import { nameOf, Survey } from '../diagnose/survey.ts';
import type { ObservedCall } from '../observed/call.ts';
import { isProbe, isScrape } from './plain-text.ts';
import { plainTextSetting } from './setting.ts';

/** A probe or a scrape that is configured and would be cut off, whether or not it was seen. */
export interface ClusterCall {
  readonly kind: 'probe' | 'scrape';
  /** `KIND NAMESPACE/NAME`. */
  readonly object: string;
  /** `NAMESPACE/NAME`. */
  readonly destination: string;
  readonly port: number;
  readonly text: string;
  readonly hint: string;
  /** False where an injector would have it come another way. */
  readonly certain: boolean;
}

function hintFor({ kind, port }: ClusterRequest, { annotations }: Workload): string {
  const except = `except port ${port} (portLevelMtls of a PeerAuthentication that selects the workload: PERMISSIVE)`;
  if (kind === 'scrape')
    return `have the injector merge the metrics, have Prometheus call with a certificate of the mesh, or ${except}`;
  return annotations?.[REWRITE] === 'false'
    ? `remove the annotation ${REWRITE}: "false", so that injection rewrites it, or ${except}`
    : `let the injector rewrite it (${REWRITE}: "true"), or ${except}`;
}

/** Whether policies refuse it today already, whoever the node is. Of what cannot be told, it is not said. */
function isDeniedToday(survey: Survey, workload: Workload, request: ClusterRequest): boolean {
  return !dependsOnAddress(survey, workload) && denial(survey, workload, request) !== undefined;
}

/**
 * Probes and scrapes of some workloads that are taken today and would not be once the mesh is as it is to be.
 * @param workloads of one namespace
 */
export function cutOffClusterCalls(before: Snapshot, after: Snapshot, workloads: readonly Workload[]): readonly ClusterCall[] {
  const surveys = new Map<string, Survey>();
  return workloads.flatMap((workload) => {
    const cutOff = clusterRequests(workload).filter(
      ({ port }) => !plainTextSetting(after, workload, port).takes && plainTextSetting(before, workload, port).takes,
    );
    if (cutOff.length === 0) return [];
    const survey = surveys.get(workload.namespace) ?? new Survey(before, workload.namespace);
    surveys.set(workload.namespace, survey);
    return cutOff
      .filter((request) => !isDeniedToday(survey, workload, request))
      .map((request): ClusterCall => {
        const { kind, name, method, path, port, certain } = request;
        const otherwise = certain ? '' : ', unless an injector merges the metrics';
        return {
          kind,
          object: `${workload.meta.kind} ${keyOf(workload.meta)}`,
          destination: keyOf(workload),
          port,
          text: `${name} ${method} ${path} on port ${port} of ${nameOf(workload)} comes in plain text, which the PeerAuthentication to be refuses${otherwise}`,
          hint: hintFor(request, workload),
          certain,
        };
      });
  });
}

/** Whether calls that came are those of a probe, or a scrape, as it is configured: then they tell more of it than the configuration does. */
export function wasSeen({ kind, destination, port }: ClusterCall, call: ObservedCall, workload: Workload): boolean {
  return call.destination === destination && call.port === port && (kind === 'probe' ? isProbe : isScrape)(call, workload);
}
