import type { Locality } from './load-balancer.ts';
import type { Labels, Meta } from './object.ts';
import type { Port } from './port.ts';

/** A machine, or a process on one, that Services and ServiceEntries may select as they select pods. */
export interface WorkloadEntry {
  readonly meta: Meta;
  /** An IP address, a Unix socket (`unix:///path`) or a host name, which only services reach whose addresses Envoy resolves. */
  readonly address: string | undefined;
  /** Its own port for a service port's name. */
  readonly ports: Readonly<Record<string, Port>>;
  readonly labels: Labels;
  readonly weight: number;
  readonly serviceAccount: string;
  readonly locality: Locality | undefined;
}
