import { indexedBy } from '../mesh/model/indexed-by.ts';
import type { Proxy } from '../mesh/model/proxy.ts';
import type { Sidecar } from '../mesh/model/sidecar.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';
import type { Workload } from '../mesh/model/workload.ts';
import { keyOf } from '../mesh/model/object.ts';
import type { InboundSecurity } from './security.ts';
import { sidecarFor } from './sidecar-scope.ts';
import { type View, viewFrom } from './view.ts';

/** What one proxy is compiled from, handed to every pass. */
export interface Scope {
  readonly snapshot: Snapshot;
  readonly proxy: Proxy;
  readonly security: InboundSecurity;
  /** What the proxy sees of the mesh. */
  readonly view: View;
  readonly sidecar: Sidecar | undefined;
  /** Some clusters that routes lead to are not there, and are asked for when a call needs them. */
  readonly onDemand: boolean;
}

export function scopeOf(snapshot: Snapshot, proxy: Proxy, security: InboundSecurity, onDemand = false): Scope {
  const sidecar = sidecarFor(snapshot, proxy);
  return { snapshot, proxy, security, sidecar, onDemand, view: viewFrom(snapshot, proxy.workload.namespace, sidecar) };
}

const byKey = indexedBy<Workload>((workload) => [keyOf(workload)]);

/** A workload by `namespace/name`. */
export function workloadNamed(snapshot: Snapshot, key: string): Workload | undefined {
  return byKey(snapshot.workloads, key).at(-1);
}
