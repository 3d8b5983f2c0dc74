import { create } from '@bufbuild/protobuf';
import { type CustomTag as WireTag, CustomTagSchema } from '#gen/envoy/type/tracing/v3/custom_tag_pb.js';
import { canonicalRevision, canonicalService, firstLabel } from '../../mesh/model/canonical.ts';
import type { Proxy } from '../../mesh/model/proxy.ts';
import type { CustomTag, CustomTags } from '../../mesh/model/telemetry.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';

/** Istio's name of a workload among services that call each other. */
export function canonicalName({ instance, workload }: Proxy): string {
  return canonicalService(instance.labels, workload.name);
}

/** How a proxy calls itself in spans, as Istio's do: `APP.NAMESPACE`. */
export function tracedName({ instance, workload }: Proxy): string {
  return `${firstLabel(instance.labels, ['app'], workload.name)}.${workload.namespace}`;
}

/** The tags that all of Istio's spans have. */
function istioTags({ meshConfig }: Snapshot, proxy: Proxy): CustomTags {
  const literal = (value: string) => ({ kind: 'literal' as const, value });
  return {
    'istio.canonical_revision': literal(canonicalRevision(proxy.instance.labels)),
    'istio.canonical_service': literal(canonicalName(proxy)),
    'istio.mesh_id': literal(meshConfig.trustDomain),
    'istio.namespace': literal(proxy.workload.namespace),
  };
}

function wireTag(tag: string, source: CustomTag): WireTag {
  switch (source.kind) {
    case 'literal':
      return create(CustomTagSchema, { tag, type: { case: 'literal', value: { value: source.value } } });
    case 'environment': {
      const { name, defaultValue } = source;
      return create(CustomTagSchema, { tag, type: { case: 'environment', value: { name, defaultValue } } });
    }
    case 'header': {
      const { name, defaultValue } = source;
      return create(CustomTagSchema, { tag, type: { case: 'requestHeader', value: { name, defaultValue } } });
    }
    default:
      return source satisfies never;
  }
}

/** Istio's tags and the given ones, which go before them, by name. */
export function spanTags(snapshot: Snapshot, proxy: Proxy, given: CustomTags): WireTag[] {
  return Object.entries({ ...istioTags(snapshot, proxy), ...given })
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, source]) => wireTag(name, source));
}
