import type { Locality } from './load-balancer.ts';
import type { Labels, Meta } from './object.ts';
import type { Port } from './port.ts';

/** A machine, or a process on one, that Services and ServiceEntries may select as they select pods. */
export interface WorkloadEntry {
  readonly meta: Meta;
  /** An IP address or a Unix socket (`unix:///path`); undefined where it is a host name, which no selecting service can reach. */
  readonly address: string | undefined;
  /** Its own port for a service port's name. */
  readonly ports: Readonly<Record<string, Port>>;
  readonly labels: Labels;
  readonly weight: number;
  readonly serviceAccount: string;
  readonly locality: Locality | undefined;
}
