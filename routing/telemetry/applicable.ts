import { selects } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { GATEWAY_NAME_LABEL } from '../../mesh/model/target-ref.ts';
import type { Telemetry } from '../../mesh/model/telemetry.ts';
import type { Scope } from '../scope.ts';

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

function levels({ telemetries }: Snapshot): Levels {
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

function isFor({ proxy }: Scope, { selector, targetRefs }: Telemetry): boolean {
  const { labels } = proxy.instance;
  if (targetRefs.length === 0) return selects(selector, labels);
  const gateway = labels[GATEWAY_NAME_LABEL];
  return gateway !== undefined && targetRefs.some(({ kind, name }) => kind === 'Gateway' && name === gateway);
}

/**
 * The Telemetry objects for a proxy, the widest first: the mesh's, its namespace's, and its own. Of each level the oldest counts
 * alone, as in Istio; one with a selector counts in its own namespace only, also in the root namespace.
 */
export function applicableTelemetries(scope: Scope): readonly Telemetry[] {
  const { wide, narrow } = levels(scope.snapshot);
  const { namespace } = scope.proxy.workload;
  const { rootNamespace } = scope.snapshot.meshConfig;
  const mesh = wide.get(rootNamespace);
  const own = namespace === rootNamespace ? undefined : wide.get(namespace);
  const workload = narrow.get(namespace)?.find((one) => isFor(scope, one));
  return [mesh, own, workload].filter((one) => one !== undefined);
}
