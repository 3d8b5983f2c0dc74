import type { Instance, Workload } from '../../mesh/model/workload.ts';
import type { Port } from '../../mesh/model/port.ts';

/** Who sends the request on: the sidecar of a workload, or a gateway. */
export interface Asker {
  readonly kind: 'sidecar' | 'gateway';
  readonly workload: Workload;
  readonly instance: Instance;
}

/** One request as it reaches that proxy. */
export interface RouteRequest {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** As the Host header has it, with a port where the client writes one. */
  readonly host: string;
  /** The port that the client connects to; at a gateway the server's. Undefined where the client asks an HTTP proxy and names none. */
  readonly port: Port | undefined;
  /** With its query; normalised as `pathNormalization` says. */
  readonly path: string;
  /** By lower-case name; several of one name in order. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** Of a token that was verified; only gateways look at them. */
  readonly claims: Readonly<Record<string, unknown>> | undefined;
}
