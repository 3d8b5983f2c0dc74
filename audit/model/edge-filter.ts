import { parseSpiffeId, type SpiffeId, withScheme, workloadOf } from '../../ca/identity/spiffe-id.ts';
import type { EdgeKey } from './edge.ts';
import { marksOfText } from './mark.ts';

/** `allowed` includes what never arrived: nobody denied it. `plain-text`: arrived without a certificate of the caller. */
export const CALL_VERDICTS = Object.freeze(['allowed', 'denied', 'would-be-denied', 'plain-text', 'unreached'] as const);
export type CallVerdict = (typeof CALL_VERDICTS)[number];

/** One end of a call. */
export interface EndFilter {
  readonly namespace?: string | undefined;
  /** `NAMESPACE/NAME`, or a name in any namespace. */
  readonly workload?: string | undefined;
  /** A SPIFFE ID, with or without `spiffe://`. */
  readonly identity?: string | undefined;
}

/** Which edges a question is about: each given condition must hold, those of the filter itself at either end of the call. */
export interface StoreFilter extends EndFilter {
  readonly verdict?: CallVerdict | undefined;
  /** The host name of the service called. */
  readonly service?: string | undefined;
  readonly from?: EndFilter | undefined;
  readonly to?: EndFilter | undefined;
}

/** What edges are looked up by beside the parts of their keys; the empty string where there is none. */
export interface Dimensions {
  readonly sourceNamespace: string;
  readonly sourceName: string;
  readonly destinationNamespace: string;
  readonly destinationName: string;
  /** Of a call that never arrived there is a service, but no one at the other end to name. */
  readonly serviceNamespace: string;
  readonly wouldDeny: boolean;
}

function namespaceOf(principal: string, workload: string): string {
  const parsed = parseSpiffeId(principal);
  const id: SpiffeId | undefined = parsed.ok ? parsed.value : undefined;
  return (id === undefined ? undefined : workloadOf(id)?.namespace) ?? workload.split('/', 1)[0] ?? '';
}

function nameOf(workload: string): string {
  return workload.slice(workload.lastIndexOf('/') + 1);
}

export function dimensionsOf(key: EdgeKey): Dimensions {
  return {
    sourceNamespace: namespaceOf(key.sourcePrincipal, key.sourceWorkload),
    sourceName: nameOf(key.sourceWorkload),
    destinationNamespace: namespaceOf(key.destinationPrincipal, key.destinationWorkload),
    destinationName: nameOf(key.destinationWorkload),
    serviceNamespace: key.service.split('.')[1] ?? '',
    wouldDeny: marksOfText(key.marks).some(({ kind }) => kind === 'would-deny' || kind === 'would-deny-no-rule'),
  };
}

export function fullIdentity(identity: string): string {
  return withScheme(identity);
}
