// Requests and responses of envoy.service.discovery.v3, by hand.
import { create, toBinary } from '@bufbuild/protobuf';
import { NodeSchema } from '#gen/envoy/config/core/v3/base_pb.js';
import type { PlannedProxy } from '../mesh/plan.ts';
import { field, framed, Reader } from './wire.ts';

export type Variant = 'sotw' | 'delta';

export const METHODS: Readonly<Record<Variant, string>> = Object.freeze({
  sotw: '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
  delta: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
});

/** A sidecar as Istio's agents introduce it. */
export function nodeBytes({ name, namespace, pod, serviceAccount, ip, labels }: PlannedProxy): Uint8Array {
  return toBinary(
    NodeSchema,
    create(NodeSchema, {
      id: `sidecar~${ip}~${pod}.${namespace}~${namespace}.svc.cluster.local`,
      cluster: `${name}.${namespace}`,
      metadata: {
        NAMESPACE: namespace,
        NAME: pod,
        SERVICE_ACCOUNT: serviceAccount,
        CLUSTER_ID: 'Kubernetes',
        ISTIO_VERSION: '1.30.0',
        MESH_ID: 'cluster.local',
        INTERCEPTION_MODE: 'REDIRECT',
        INSTANCE_IPS: ip,
        LABELS: { ...labels },
      },
    }),
  );
}

export interface Ask {
  readonly type: string;
  readonly node?: Uint8Array;
  /** State of the world: all names, encoded. */
  readonly names?: Buffer;
  readonly version?: string;
  readonly nonce?: string;
  readonly subscribe?: readonly string[];
  readonly unsubscribe?: readonly string[];
  readonly versions?: ReadonlyMap<string, string>;
}

export function sotwNames(names: Iterable<string>): Buffer {
  return Buffer.concat([...names].map((name) => field(3, name)));
}

export function encodeRequest(variant: Variant, ask: Ask): Buffer {
  const { type, node, names, version = '', nonce = '', subscribe = [], unsubscribe = [], versions } = ask;
  if (variant === 'sotw') {
    return framed([
      ...(version === '' ? [] : [field(1, version)]),
      ...(node === undefined ? [] : [field(2, node)]),
      ...(names === undefined ? [] : [names]),
      field(4, type),
      ...(nonce === '' ? [] : [field(5, nonce)]),
    ]);
  }
  return framed([
    ...(node === undefined ? [] : [field(1, node)]),
    field(2, type),
    ...subscribe.map((name) => field(3, name)),
    ...unsubscribe.map((name) => field(4, name)),
    ...[...(versions ?? [])].map(([name, known]) => field(5, Buffer.concat([field(1, name), field(2, known)]))),
    ...(nonce === '' ? [] : [field(6, nonce)]),
  ]);
}

export interface Response {
  readonly type: string;
  readonly version: string;
  readonly nonce: string;
  readonly removed: readonly string[];
  readonly resources: number;
}

/** `each` is called with the type and the content of each resource, and with its name and version in delta. */
export function decodeResponse(
  variant: Variant,
  bytes: Buffer,
  each: (type: string, value: Reader, name: string, version: string) => void,
): Response {
  let [type, version, nonce, resources] = ['', '', '', 0];
  const removed: string[] = [];
  const all = new Reader(bytes);
  const places: number[] = [];
  for (let number = all.next(); number !== 0; number = all.next()) {
    if (number === 1) version = all.text();
    else if (number === 2) places.push(all.from, all.to);
    else if (number === 4) type = all.text();
    else if (number === 5) nonce = all.text();
    else if (number === 6 && variant === 'delta') removed.push(all.text());
  }
  for (let index = 0; index < places.length; index += 2) {
    resources += 1;
    const outer = new Reader(bytes, places[index], places[index + 1]);
    let [name, known] = ['', ''];
    let any: Reader | undefined = variant === 'sotw' ? outer : undefined;
    if (variant === 'delta') {
      for (let number = outer.next(); number !== 0; number = outer.next()) {
        if (number === 1) known = outer.text();
        else if (number === 2) any = outer.inside();
        else if (number === 3) name = outer.text();
      }
    }
    if (any === undefined) continue;
    for (let number = any.next(); number !== 0; number = any.next()) if (number === 2) each(type, any.inside(), name, known);
  }
  return { type, version, nonce, removed, resources };
}
