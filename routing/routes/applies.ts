import { selects } from '../../mesh/model/object.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { GatewayName, HttpMatch } from '../../mesh/model/virtual-service.ts';
import type { Scope } from '../scope.ts';
import { asksForClaim, claimPath } from './claim.ts';

/** For whom and where routes are being built. */
export interface RouteSite {
  /** The port that the request names: the service's, or the Gateway server's. */
  readonly port: Port;
  /** `mesh` for a sidecar, else the Gateways that the virtual host belongs to. */
  readonly gateways: ReadonlySet<GatewayName>;
}

/**
 * True when a match can hold for this proxy at this site: its gateways, port and caller labels. What it asks of the request
 * itself is left to Envoy. Matches on JWT claims hold at gateways, which verify tokens on the way in; in front of a caller nobody does, so there
 * they never apply.
 */
export function applies(scope: Scope, site: RouteSite, match: HttpMatch): boolean {
  if (match.port !== undefined && match.port !== site.port) return false;
  if (match.gateways.length > 0 && !match.gateways.some((name) => site.gateways.has(name))) return false;
  if (!selects(match.sourceLabels, scope.proxy.instance.labels)) return false;
  if (match.sourceNamespace !== undefined && match.sourceNamespace !== scope.proxy.workload.namespace) return false;
  const claims = [...Object.keys(match.headers), ...Object.keys(match.withoutHeaders)].filter(asksForClaim);
  return claims.length === 0 || (scope.proxy.kind === 'gateway' && claims.every((name) => claimPath(name) !== undefined));
}
