// Requests and responses of envoy.service.discovery.v3, by hand.
import { create, toBinary } from '@bufbuild/protobuf';
import { NodeSchema } from '#gen/envoy/config/core/v3/base_pb.js';
import type { PlannedProxy } from '../mesh/plan.ts';
import { Reader, Writer } from './wire.ts';

/** gRPC's, before each message: not compressed, and its length. */
const PREFIX = 5;
/** Field of both responses. */
const RESOURCES = 2;

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
  readonly versions?: readonly (readonly [name: string, version: string])[];
}

export function sotwNames(names: Iterable<string>): Buffer {
  const out = new Writer();
  for (const name of names) out.text(3, name);
  return out.take();
}

/** The request as a gRPC message. */
export function encodeRequest(variant: Variant, ask: Ask): Buffer {
  const { type, node, names, version = '', nonce = '', subscribe = [], unsubscribe = [], versions = [] } = ask;
  const out = new Writer(PREFIX);
  const text = (number: number, value: string): void => {
    if (value !== '') out.text(number, value);
  };
  if (variant === 'sotw') {
    text(1, version);
    if (node !== undefined) out.bytes(2, node);
    if (names !== undefined) out.raw(names);
    out.text(4, type);
    text(5, nonce);
  } else {
    if (node !== undefined) out.bytes(1, node);
    out.text(2, type);
    for (const name of subscribe) out.text(3, name);
    for (const name of unsubscribe) out.text(4, name);
    for (const [name, known] of versions) out.entry(5, name, known);
    text(6, nonce);
  }
  const message = out.take();
  message[0] = 0;
  message.writeUInt32BE(message.length - PREFIX, 1);
  return message;
}

export interface Response {
  readonly type: string;
  readonly version: string;
  readonly nonce: string;
  readonly removed: readonly string[];
  /** The part of the message in which all resources are. */
  readonly resources: Buffer;
}

export function decodeResponse(variant: Variant, bytes: Buffer): Response {
  let [type, version, nonce] = ['', '', ''];
  let [from, to] = [0, 0];
  const removed: string[] = [];
  const all = new Reader(bytes);
  for (let start = 0, number = all.next(); number !== 0; start = all.at, number = all.next()) {
    if (number === RESOURCES) {
      if (to === 0) from = start;
      to = all.at;
    } else if (number === 1) version = all.text();
    else if (number === 4) type = all.text();
    else if (number === 5) nonce = all.text();
    else if (number === 6 && variant === 'delta') removed.push(all.text());
  }
  return { type, version, nonce, removed, resources: bytes.subarray(from, to) };
}

/** `each` is called with the content of each resource, and with its name and version in delta. */
export function eachResource(
  variant: Variant,
  bytes: Buffer,
  each: (value: Reader, name: string, version: string) => void,
): void {
  const all = new Reader(bytes);
  for (let field = all.next(); field !== 0; field = all.next()) {
    if (field !== RESOURCES) continue;
    const outer = all.inside();
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
    for (let number = any.next(); number !== 0; number = any.next()) if (number === 2) each(any.inside(), name, known);
  }
}
