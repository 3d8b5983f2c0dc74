import { hash } from 'node:crypto';
import { clone, toBinary } from '@bufbuild/protobuf';
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { AnySchema, anyPack } from '@bufbuild/protobuf/wkt';
import { LayeredMap } from '../mesh/model/layered-map.ts';
import { Joined } from './joined.ts';
import { sortMaps, unsortedMaps } from './deterministic.ts';

export const CLUSTER = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
export const ENDPOINTS = 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment';
/** Filters whose configuration is a resource of its own (ECDS). */
export const EXTENSION_CONFIG = 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig';
export const LISTENER = 'type.googleapis.com/envoy.config.listener.v3.Listener';
export const ROUTES = 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration';
/** What proxies trust: the roots against which peers are verified. Certificates and keys never come this way. */
export const SECRET = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
export const VIRTUAL_HOST = 'type.googleapis.com/envoy.config.route.v3.VirtualHost';

/**
 * The types served, in the order in which additions and changes are pushed (make before break: what refers comes after
 * what is referred to). Envoy, xDS protocol, "Eventual consistency considerations".
 */
export const TYPE_URLS = Object.freeze([SECRET, CLUSTER, ENDPOINTS, EXTENSION_CONFIG, LISTENER, ROUTES, VIRTUAL_HOST] as const);
export type TypeUrl = (typeof TYPE_URLS)[number];

/** The order of removals: from what refers to what is referred to. */
export const REMOVAL_ORDER: readonly TypeUrl[] = Object.freeze([
  LISTENER,
  EXTENSION_CONFIG,
  VIRTUAL_HOST,
  ROUTES,
  CLUSTER,
  ENDPOINTS,
  SECRET,
]);

/** The type URL, or undefined when it is none of ours. */
export function parseTypeUrl(text: string): TypeUrl | undefined {
  return TYPE_URLS.find((known) => known === text);
}

/** One resource, encoded once and shared by all streams. Equal `version` means equal bytes. */
export interface EncodedResource {
  readonly name: string;
  /** Content hash: the first 128 bits of SHA-256 over `any`, in hex. */
  readonly version: string;
  /** The bytes of a google.protobuf.Any message. */
  readonly any: Uint8Array;
}

export type Resources = ReadonlyMap<string, EncodedResource>;

/** All that one proxy may be told. Never changed once built; streams compare the inner maps by identity. */
export type ResourceSet = ReadonlyMap<TypeUrl, Resources>;

export const NO_RESOURCES: Resources = new Map();
export const EMPTY_SET: ResourceSet = new Map();

const encoded = new WeakMap<object, EncodedResource>();

/**
 * Encodes a resource deterministically: fields by number, map entries by key. Messages inside an Any are bytes already,
 * so who packs them answers for their map order. Cached by the identity of `message`, which must not change afterwards.
 * @param name the resource's name where it is not a field of the message (virtual hosts over VHDS: `ROUTES/HOST`)
 */
export function encodeResource<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  name?: string,
): EncodedResource {
  const known = encoded.get(message);
  if (known !== undefined && (name === undefined || known.name === name)) return known;
  const own = name ?? nameOf(message);
  const any = toBinary(AnySchema, anyPack(schema, canonical(schema, message)));
  const resource = Object.freeze({ name: own, version: hash('sha256', any, 'hex').slice(0, 32), any });
  encoded.set(message, resource);
  return resource;
}

function canonical<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): MessageShape<Desc> {
  if (!unsortedMaps(message)) return message;
  const copy = clone(schema, message);
  sortMaps(copy);
  return copy;
}

function nameOf(message: object): string {
  if ('clusterName' in message && typeof message.clusterName === 'string') return message.clusterName;
  if ('name' in message && typeof message.name === 'string') return message.name;
  throw new TypeError('an xDS resource has a name');
}

/**
 * Builds a set. Types that are left out are empty; a map stays the same map.
 * @throws TypeError when two resources of one type have the same name: a bug in the compiler
 */
export function resourceSet(content: { readonly [Type in TypeUrl]?: readonly EncodedResource[] | Resources }): ResourceSet {
  const set = new Map<TypeUrl, Resources>();
  for (const type of TYPE_URLS) {
    const given = content[type] ?? NO_RESOURCES;
    if ('get' in given) {
      set.set(type, given);
      continue;
    }
    const resources = new Map<string, EncodedResource>();
    for (const resource of given) {
      if (resources.has(resource.name)) throw new TypeError(`two resources of type ${type} are named ${resource.name}`);
      resources.set(resource.name, resource);
    }
    set.set(type, resources);
  }
  return set;
}

const sums = new WeakMap<object, bigint>();
const BITS = 256;

/** Of one resource: a hash of its name and version, as a number. */
function digestOf(resource: EncodedResource): bigint {
  const known = sums.get(resource);
  if (known !== undefined) return known;
  const made = BigInt(`0x${hash('sha256', `${resource.version} ${resource.name}`, 'hex')}`);
  sums.set(resource, made);
  return made;
}

/** The sum over all resources, which those of another base and its changes follow from. */
function sumOf(resources: Resources): bigint {
  const known = sums.get(resources);
  if (known !== undefined) return known;
  let sum = 0n;
  if (resources instanceof Joined) sum = sumOf(resources.shared) + sumOf(resources.own);
  else if (resources instanceof LayeredMap) {
    const { base, layer } = resources.parts();
    sum = sumOf(base);
    for (const [name, resource] of layer) {
      const under = base.get(name);
      if (under !== undefined) sum -= digestOf(under);
      if (resource !== undefined) sum += digestOf(resource);
    }
  } else for (const resource of resources.values()) sum += digestOf(resource);
  sum = BigInt.asUintN(BITS, sum);
  sums.set(resources, sum);
  return sum;
}

const versions = new WeakMap<Resources, string>();

/** The version of a whole type: a hash over names and versions, independent of their order. Kept by the map's identity. */
export function versionOf(resources: Resources): string {
  const known = versions.get(resources);
  if (known !== undefined) return known;
  const version = hash('sha256', `${resources.size} ${sumOf(resources).toString(16)}`, 'hex').slice(0, 32);
  versions.set(resources, version);
  return version;
}

const differences = new WeakMap<Resources, WeakMap<Resources, readonly string[]>>();

/** Names whose presence or bytes differ. Many streams ask for the same pair at once, so the answer is kept by identity. */
export function changedNames(before: Resources, after: Resources): readonly string[] {
  if (before === after) return [];
  const kept = differences.get(before) ?? new WeakMap<Resources, readonly string[]>();
  differences.set(before, kept);
  const known = kept.get(after);
  if (known !== undefined) return known;
  const names = differing(before, after);
  kept.set(after, names);
  return names;
}

function differing(before: Resources, after: Resources): readonly string[] {
  if (before instanceof Joined && after instanceof Joined) {
    if (before.own === after.own) return changedNames(before.shared, after.shared);
    return [...changedNames(before.shared, after.shared), ...changedNames(before.own, after.own)];
  }
  const some = before instanceof LayeredMap && after instanceof LayeredMap ? before.differing(after) : undefined;
  if (some !== undefined) return some.filter((name) => before.get(name)?.version !== after.get(name)?.version);
  const names: string[] = [];
  for (const [name, resource] of after) {
    const old = before.get(name);
    if (old !== resource && old?.version !== resource.version) names.push(name);
  }
  for (const name of before.keys()) if (!after.has(name)) names.push(name);
  return names;
}
