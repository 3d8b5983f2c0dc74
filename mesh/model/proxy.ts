import type { Instance, Workload } from './workload.ts';

/** A proxy that configuration is compiled for: which instance it stands beside, and as what. */
export interface Proxy {
  readonly kind: 'sidecar' | 'gateway';
  readonly workload: Workload;
  readonly instance: Instance;
}
