import { type Labels, selects } from './object.ts';
import type { Snapshot } from './snapshot.ts';
import { GATEWAY_NAME_LABEL } from './target-ref.ts';
import type { Telemetry } from './telemetry.ts';

interface Levels {
  /** By namespace: the one for all of it. */
  readonly wide: ReadonlyMap<string, Telemetry>;
  /** By namespace, oldest first: those for some of its workloads. */
  readonly narrow: ReadonlyMap<string, readonly Telemetry[]>;
}

const known = new WeakMap<readonly Telemetry[], Levels>();

function isWide({ selector, targetRefs }: Telemetry): boolean {
  return Object.keys(selector).length === 0 && targetRefs.length === 0;
}

function levels(telemetries: readonly Telemetry[]): Levels {
  const before = known.get(telemetries);
  if (before !== undefined) return before;
  const wide = new Map<string, Telemetry>();
  for (const one of telemetries) if (isWide(one) && !wide.has(one.meta.namespace)) wide.set(one.meta.namespace, one);
  const narrow = Map.groupBy(
    telemetries.filter((one) => !isWide(one)),
    ({ meta }) => meta.namespace,
  );
  const made = { wide, narrow };
  known.set(telemetries, made);
  return made;
}

function isFor(labels: Labels, { selector, targetRefs }: Telemetry): boolean {
  if (targetRefs.length === 0) return selects(selector, labels);
  const gateway = labels[GATEWAY_NAME_LABEL];
  return gateway !== undefined && targetRefs.some(({ kind, name }) => kind === 'Gateway' && name === gateway);
}

/**
 * The Telemetry objects for workloads with these labels, the widest first: the mesh's, their namespace's, and their own. Of each level the
 * oldest counts alone, as in Istio; one with a selector counts in its own namespace only, also in the root namespace.
 */
export function telemetriesFor(
  { telemetries, meshConfig }: Pick<Snapshot, 'telemetries' | 'meshConfig'>,
  namespace: string,
  labels: Labels,
): readonly Telemetry[] {
  const { wide, narrow } = levels(telemetries);
  const mesh = wide.get(meshConfig.rootNamespace);
  const own = namespace === meshConfig.rootNamespace ? undefined : wide.get(namespace);
  const workload = narrow.get(namespace)?.find((one) => isFor(labels, one));
  return [mesh, own, workload].filter((one) => one !== undefined);
}
