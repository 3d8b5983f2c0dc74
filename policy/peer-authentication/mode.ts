import { indexedBy } from '../../mesh/model/indexed-by.ts';
import { keyOf, type Labels, selects } from '../../mesh/model/object.ts';
import type { MtlsMode, PeerAuthentication } from '../../mesh/model/peer-authentication.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { keptBy } from '../kept.ts';
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

const ofNamespace = indexedBy<PeerAuthentication>(({ meta }) => [meta.namespace]);

const isWide = ({ selector }: PeerAuthentication): boolean => Object.keys(selector).length === 0;

/** What counts for the workloads of a namespace with some labels. */
interface Level {
  readonly setting: MtlsSetting;
  /** The policy that selects the workload by its labels. */
  readonly own: PeerAuthentication | undefined;
}

type Policies = readonly PeerAuthentication[];

/** @param inNamespace empty for the root namespace, where a policy with a selector selects nothing */
const levelOf = keptBy((inRoot: Policies, inNamespace: Policies, labels: Labels): Level => {
  let setting = DEFAULT;
  const mesh = oldest(inRoot.filter(isWide));
  if (mesh !== undefined) setting = narrowed(setting, mesh.mode, mesh);
  const namespace = oldest(inNamespace.filter(isWide));
  if (namespace !== undefined) setting = narrowed(setting, namespace.mode, namespace);
  const own = oldest(inNamespace.filter((policy) => !isWide(policy) && selects(policy.selector, labels)));
  return Object.freeze({ setting: own === undefined ? setting : narrowed(setting, own.mode, own), own });
});

/** What modes depend on. */
export type PeerAuthentications = Pick<Snapshot, 'meshConfig' | 'peerAuthentications'>;

const IN_ROOT: Policies = Object.freeze([]);

function level({ meshConfig, peerAuthentications }: PeerAuthentications, { namespace, labels }: SelectedWorkload): Level {
  const { rootNamespace } = meshConfig;
  const own = namespace === rootNamespace ? IN_ROOT : ofNamespace(peerAuthentications, namespace);
  return levelOf(ofNamespace(peerAuthentications, rootNamespace), own, labels);
}

/**
 * The mutual TLS mode of a workload's own port: mesh, then namespace, then workload, then port; UNSET inherits.
 * Ports are honoured only on a policy with a selector, and a policy with a selector in the root namespace selects
 * nothing, both as Istio has it.
 */
export function mtlsSetting(snapshot: PeerAuthentications, workload: SelectedWorkload, port: Port): MtlsSetting {
  const { setting, own } = level(snapshot, workload);
  return own === undefined ? setting : narrowed(setting, own.portLevel.get(port), own);
}

/** {@link mtlsSetting} for the ports that no policy names. */
export function workloadMtlsSetting(snapshot: PeerAuthentications, workload: SelectedWorkload): MtlsSetting {
  return level(snapshot, workload).setting;
}

/** {@link mtlsSetting} without where it came from. */
export function mtlsMode(snapshot: PeerAuthentications, workload: SelectedWorkload, port: Port): EffectiveMtlsMode {
  return mtlsSetting(snapshot, workload, port).mode;
}
