import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { ChildCommand } from './child.ts';
import type { Placement } from './place.ts';
import type { Pod } from './pod.ts';

/** How pods get their network on this machine. */
export interface Capture {
  readonly placement: Placement;
  /** Where the control plane is to listen besides 127.0.0.1, for proxies that cannot reach that. */
  readonly extraAddress: string | undefined;
  /** Where sockets and bootstraps of proxies go, when the run folder will not do. */
  readonly agentDir: string | undefined;
  addPod(pod: Pod): Promise<void>;
  removePod(pod: Pod): Promise<void>;
  /** The command of a pod's application, run where its traffic is captured. */
  command(pod: Pod, application: ChildCommand): ChildCommand;
  /** Names of services changed, or may have. */
  refreshNames(snapshot: Snapshot, pods: Iterable<Pod>): void;
  close(): Promise<void>;
}

export type CaptureResult = { readonly ok: true; readonly capture: Capture } | { readonly ok: false; readonly reason: string };
