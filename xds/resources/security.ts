import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { httpAuthorization, tcpAuthorization } from '../../policy/compile/authorization.ts';
import { mtlsMode } from '../../policy/peer-authentication/mode.ts';
import type { InboundSecurity } from '../../routing/security.ts';

/** What policy says about traffic into a workload, in the form in which routing puts it into listeners. */
export function inboundSecurity(snapshot: Snapshot, workload: Workload): InboundSecurity {
  const http = httpAuthorization(snapshot, workload);
  const network = tcpAuthorization(snapshot, workload);
  return {
    mtlsMode: (port) => mtlsMode(snapshot, workload, port),
    peerMtlsMode: (peer, port) => mtlsMode(snapshot, peer, port),
    httpFilters: () => http,
    networkFilters: () => network,
  };
}
