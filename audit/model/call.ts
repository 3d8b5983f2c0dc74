import type { Hostname } from '../../mesh/model/hostname.ts';

/** That a workload called a service, by the records of its own proxy, whatever became of the calls. Times are ms since the epoch. */
export interface Call {
  /** `NAMESPACE/NAME`. */
  readonly workload: string;
  readonly service: Hostname;
  readonly firstSeen: number;
  readonly lastSeen: number;
}
