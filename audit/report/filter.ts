import { CALL_VERDICTS, dimensionsOf, type EndFilter, fullIdentity, type StoreFilter } from '../model/edge-filter.ts';
import type { Edge, EdgeKey } from '../model/edge.ts';

export const EDGE_VERDICTS = CALL_VERDICTS;

/** Which edges a report is about. */
export type EdgeFilter = StoreFilter;

export const EVERYTHING: EdgeFilter = Object.freeze({});

interface End {
  readonly namespaces: readonly string[];
  readonly workload: string;
  readonly principal: string;
}

/** Both ends; a call that never arrived has a service, but no one at the other end to name. */
function endsOf(key: EdgeKey): { readonly from: End; readonly to: End } {
  const { sourceNamespace, destinationNamespace, serviceNamespace } = dimensionsOf(key);
  return {
    from: { namespaces: [sourceNamespace], workload: key.sourceWorkload, principal: key.sourcePrincipal },
    to: {
      namespaces: [destinationNamespace, serviceNamespace],
      workload: key.destinationWorkload,
      principal: key.destinationPrincipal,
    },
  };
}

function isWorkload(workload: string, wanted: string): boolean {
  if (workload === '' || wanted === '') return false;
  return workload === wanted || (!wanted.includes('/') && workload.endsWith(`/${wanted}`));
}

/** Each condition holds for one of the ends. */
function anyEnd(ends: readonly End[], { namespace, workload, identity }: EndFilter): boolean {
  return (
    (namespace === undefined || (namespace !== '' && ends.some(({ namespaces }) => namespaces.includes(namespace)))) &&
    (workload === undefined || ends.some((end) => isWorkload(end.workload, workload))) &&
    (identity === undefined || ends.some(({ principal }) => principal === fullIdentity(identity)))
  );
}

function hasVerdict(key: EdgeKey, verdict: NonNullable<EdgeFilter['verdict']>): boolean {
  switch (verdict) {
    case 'allowed':
      return key.decision === 'ALLOW';
    case 'denied':
      return key.decision === 'DENY';
    case 'would-be-denied':
      return dimensionsOf(key).wouldDeny;
    case 'plain-text':
      return !key.mtls && key.verdict !== 'unreached';
    case 'unreached':
      return key.verdict === 'unreached';
    default:
      return verdict satisfies never;
  }
}

/** As stores apply the filter, for edges that are in memory. */
export function matches({ key }: Pick<Edge, 'key'>, filter: EdgeFilter): boolean {
  const { from, to } = endsOf(key);
  return (
    anyEnd([from, to], filter) &&
    (filter.from === undefined || anyEnd([from], filter.from)) &&
    (filter.to === undefined || anyEnd([to], filter.to)) &&
    (filter.service === undefined || key.service === filter.service) &&
    (filter.verdict === undefined || hasVerdict(key, filter.verdict))
  );
}

function endText({ namespace, workload, identity }: EndFilter): readonly string[] {
  return [
    ...(namespace === undefined ? [] : [`namespace ${namespace}`]),
    ...(workload === undefined ? [] : [`workload ${workload}`]),
    ...(identity === undefined ? [] : [`identity ${identity}`]),
  ];
}

/** A filter in words; undefined: nothing is left out. */
export function filterText(filter: EdgeFilter): string | undefined {
  const parts = [
    ...endText(filter),
    ...(filter.from === undefined ? [] : endText(filter.from).map((text) => `from ${text}`)),
    ...(filter.to === undefined ? [] : endText(filter.to).map((text) => `to ${text}`)),
    ...(filter.service === undefined ? [] : [`service ${filter.service}`]),
    ...(filter.verdict === undefined ? [] : [`verdict ${filter.verdict}`]),
  ];
  return parts.length === 0 ? undefined : parts.join(', ');
}
