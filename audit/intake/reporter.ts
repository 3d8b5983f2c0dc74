import { type SpiffeId, workloadOf } from '../../ca/identity/spiffe-id.ts';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { Side } from '../model/record.ts';
import type { Directory } from './directory.ts';

/** The proxy at the other end of a log stream. */
export interface Reporter {
  /** From the certificate of the stream's connection. */
  readonly principal: SpiffeId;
  readonly nodeId: string;
  readonly side: Side;
  readonly workload: string | undefined;
}

const MAX_NODE_ID = 1024;

function sideOf(logName: string): Side | undefined {
  return logName === 'inbound' || logName === 'outbound' || logName === 'gateway' ? logName : undefined;
}

/**
 * Decides what a stream may report as. The node id is the proxy's own word: it may only name a workload that has the
 * identity of the certificate, else one compromised proxy could write the history of another.
 */
export function reporterOf(principal: SpiffeId, nodeId: string, logName: string, directory: Directory): Parsed<Reporter> {
  const side = sideOf(logName);
  if (side === undefined) return { ok: false, reason: `log_name must be inbound, outbound or gateway` };
  if (nodeId === '' || nodeId.length > MAX_NODE_ID) return { ok: false, reason: 'identifier.node.id is missing or too long' };
  const workload = directory.workloadOf(nodeId);
  if (workload !== undefined) {
    const expected = directory.principalOf(workload);
    const namespace = workloadOf(principal)?.namespace;
    if (expected !== principal && (expected !== undefined || namespace !== workload.split('/', 1)[0])) {
      return { ok: false, reason: `node ${nodeId} is not of identity ${principal}` };
    }
  }
  return { ok: true, value: { principal, nodeId, side, workload: workload ?? directory.workloadOfPrincipal(principal) } };
}
