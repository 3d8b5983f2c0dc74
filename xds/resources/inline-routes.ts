import { hash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { type RouteConfiguration, RouteConfigurationSchema } from '#gen/envoy/config/route/v3/route_pb.js';
import { varintSize, writeVarint } from '../../ca/protobuf/varint.ts';
import { type EncodedResource, ROUTES } from '../resource-set.ts';

const VALUE = 0x12; // google.protobuf.Any 2
const NAME = 0x0a; // VirtualHost 1, Any 1
const VIRTUAL_HOSTS = 0x12; // RouteConfiguration 2

/** A length-delimited field that begins there: where its content begins and ends. */
function field(bytes: Uint8Array, tag: number, start: number): { readonly from: number; readonly to: number } {
  if (bytes[start] !== tag) throw new TypeError(`field ${tag >>> 3} was expected`);
  let [at, length, shift] = [start + 1, 0, 0];
  for (;;) {
    const byte = bytes[at++] ?? 0;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
    shift += 7;
  }
  return { from: at, to: at + length };
}

/** What of an encoded virtual host comes after its name, which is the first field. */
function afterName({ any }: EncodedResource): Uint8Array {
  const value = field(any, VALUE, field(any, NAME, 0).to);
  return any.subarray(field(any, NAME, value.from).to, value.to);
}

export interface InlineHost {
  /** Within the route configuration. */
  readonly name: string;
  readonly resource: EncodedResource;
}

/**
 * A route configuration put together from virtual hosts that are encoded already, to the same bytes as if it were encoded whole: fields
 * stand in the order of their numbers.
 * @param rest without virtual hosts
 */
export function inlineRoutes(rest: RouteConfiguration, hosts: readonly InlineHost[]): EncodedResource {
  const { name } = rest;
  const head = toBinary(RouteConfigurationSchema, create(RouteConfigurationSchema, { name }));
  const tail = toBinary(RouteConfigurationSchema, create(RouteConfigurationSchema, { ...rest, name: '' }));
  const parts = hosts.map((host) => {
    const label = Buffer.from(host.name);
    const after = afterName(host.resource);
    return { label, after, size: 1 + varintSize(label.length) + label.length + after.length };
  });
  let size = head.length + tail.length;
  for (const part of parts) size += 1 + varintSize(part.size) + part.size;
  const type = Buffer.from(ROUTES);
  const any = new Uint8Array(2 + type.length + 1 + varintSize(size) + size);
  any[0] = NAME;
  any[1] = type.length;
  any.set(type, 2);
  let at = 2 + type.length;
  any[at++] = VALUE;
  at = writeVarint(any, at, size);
  any.set(head, at);
  at += head.length;
  for (const { label, after, size: length } of parts) {
    any[at++] = VIRTUAL_HOSTS;
    at = writeVarint(any, at, length);
    any[at++] = NAME;
    at = writeVarint(any, at, label.length);
    any.set(label, at);
    any.set(after, at + label.length);
    at += label.length + after.length;
  }
  any.set(tail, at);
  return Object.freeze({ name, version: hash('sha256', any, 'hex').slice(0, 32), any });
}
