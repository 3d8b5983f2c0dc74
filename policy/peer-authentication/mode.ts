import { keyOf, selects } from '../../mesh/model/object.ts';
import type { MtlsMode, PeerAuthentication } from '../../mesh/model/peer-authentication.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { SelectedWorkload } from '../select.ts';

export type EffectiveMtlsMode = Exclude<MtlsMode, 'UNSET'>;

/** The mode in force and the object (`namespace/name`) that set it; no object when it is the mesh's default. */
export interface MtlsSetting {
  readonly mode: EffectiveMtlsMode;
  readonly setBy: string | undefined;
}

/** PERMISSIVE is Istio's default: plain text is accepted until somebody says STRICT. */
const DEFAULT: MtlsSetting = Object.freeze({ mode: 'PERMISSIVE', setBy: undefined });

/** The oldest wins within a level; those without a creation time come last, then the order of the snapshot decides. */
function oldest(candidates: readonly PeerAuthentication[]): PeerAuthentication | undefined {
  let found: PeerAuthentication | undefined;
  for (const candidate of candidates) {
    if (found === undefined || (candidate.meta.createdAt ?? Infinity) < (found.meta.createdAt ?? Infinity)) found = candidate;
  }
  return found;
}

function narrowed(wider: MtlsSetting, mode: MtlsMode | undefined, policy: PeerAuthentication): MtlsSetting {
  return mode === undefined || mode === 'UNSET' ? wider : { mode, setBy: keyOf(policy.meta) };
}

/** The policy that selects the workload by its labels. */
function selecting(snapshot: Snapshot, workload: SelectedWorkload): PeerAuthentication | undefined {
  return oldest(
    snapshot.peerAuthentications.filter(
      ({ meta, selector }) =>
        Object.keys(selector).length > 0 &&
        meta.namespace !== snapshot.meshConfig.rootNamespace &&
        meta.namespace === workload.namespace &&
        selects(selector, workload.labels),
    ),
  );
}

/**
 * The mutual TLS mode of a workload's own port: mesh, then namespace, then workload, then port; UNSET inherits.
 * Ports are honoured only on a policy with a selector, and a policy with a selector in the root namespace selects
 * nothing, both as Istio has it.
 */
export function mtlsSetting(snapshot: Snapshot, workload: SelectedWorkload, port: Port): MtlsSetting {
  const own = selecting(snapshot, workload);
  const setting = workloadMtlsSetting(snapshot, workload);
  return own === undefined ? setting : narrowed(setting, own.portLevel.get(port), own);
}

/** {@link mtlsSetting} for the ports that no policy names. */
export function workloadMtlsSetting(snapshot: Snapshot, workload: SelectedWorkload): MtlsSetting {
  const { rootNamespace } = snapshot.meshConfig;
  const wide = snapshot.peerAuthentications.filter((policy) => Object.keys(policy.selector).length === 0);

  let setting = DEFAULT;
  const mesh = oldest(wide.filter((policy) => policy.meta.namespace === rootNamespace));
  if (mesh !== undefined) setting = narrowed(setting, mesh.mode, mesh);
  const namespace =
    workload.namespace === rootNamespace
      ? undefined
      : oldest(wide.filter((policy) => policy.meta.namespace === workload.namespace));
  if (namespace !== undefined) setting = narrowed(setting, namespace.mode, namespace);
  const own = selecting(snapshot, workload);
  return own === undefined ? setting : narrowed(setting, own.mode, own);
}

/** {@link mtlsSetting} without where it came from. */
export function mtlsMode(snapshot: Snapshot, workload: SelectedWorkload, port: Port): EffectiveMtlsMode {
  return mtlsSetting(snapshot, workload, port).mode;
}
