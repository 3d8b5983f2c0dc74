import type { AccessRecord } from '../model/record.ts';

/**
 * Whether a record counts as a call between two parties. Two proxies may report one call; it must count once.
 *
 * - The proxy that a call arrives at is the authority: it saw the certificate and made the decision. Its record always
 *   counts. For a gateway that is the hop from the outside into the gateway.
 * - The proxy that a call leaves from counts only when nobody at the other end reports it: the call never got there (fault
 *   injected, no route, no healthy upstream, connection refused), or the destination has no proxy of ours.
 */
export function countsAsEdge(record: AccessRecord): boolean {
  switch (record.hop) {
    case 'in':
      return true;
    case 'out':
      return !record.reached || !record.destinationMeshed;
    default:
      return record.hop satisfies never;
  }
}
