import { parseSpiffeId, type SpiffeId, workloadOf } from '../../ca/identity/spiffe-id.ts';
import type { Edge, EdgeKey } from '../model/edge.ts';
import { wouldBeDenied } from './reason.ts';

export const EDGE_VERDICTS = Object.freeze(['allowed', 'denied', 'would-be-denied'] as const);
export type EdgeVerdict = (typeof EDGE_VERDICTS)[number];

/** Which edges a report is about. Each given condition must hold; namespace, workload and identity at either end of the call. */
export interface EdgeFilter {
  readonly namespace: string | undefined;
  /** `NAMESPACE/NAME`, or a name in any namespace. */
  readonly workload: string | undefined;
  /** A SPIFFE ID, with or without `spiffe://`. */
  readonly identity: string | undefined;
  readonly verdict: EdgeVerdict | undefined;
}

export const EVERYTHING: EdgeFilter = Object.freeze({
  namespace: undefined,
  workload: undefined,
  identity: undefined,
  verdict: undefined,
});

function namespaceOf(principal: string, workload: string): string | undefined {
  const id: SpiffeId | undefined = ((parsed) => (parsed.ok ? parsed.value : undefined))(parseSpiffeId(principal));
  return (id === undefined ? undefined : workloadOf(id)?.namespace) ?? (workload === '' ? undefined : workload.split('/', 1)[0]);
}

function inNamespace(key: EdgeKey, namespace: string): boolean {
  return (
    namespaceOf(key.sourcePrincipal, key.sourceWorkload) === namespace ||
    namespaceOf(key.destinationPrincipal, key.destinationWorkload) === namespace ||
    // A call that never arrived has a service, but no one at the other end to name.
    key.service.split('.')[1] === namespace
  );
}

function isWorkload(workload: string, wanted: string): boolean {
  if (workload === '' || wanted === '') return false;
  return workload === wanted || (!wanted.includes('/') && workload.endsWith(`/${wanted}`));
}

function hasIdentity(key: EdgeKey, identity: string): boolean {
  const wanted = identity.startsWith('spiffe://') ? identity : `spiffe://${identity}`;
  return key.sourcePrincipal === wanted || key.destinationPrincipal === wanted;
}

export function matches(edge: Edge, filter: EdgeFilter): boolean {
  const { key } = edge;
  const { namespace, workload, identity, verdict } = filter;
  if (namespace !== undefined && !inNamespace(key, namespace)) return false;
  if (workload !== undefined && !isWorkload(key.sourceWorkload, workload) && !isWorkload(key.destinationWorkload, workload))
    return false;
  if (identity !== undefined && !hasIdentity(key, identity)) return false;
  if (verdict === 'would-be-denied') return wouldBeDenied(key);
  return verdict === undefined || (verdict === 'denied') === (key.decision === 'DENY');
}
