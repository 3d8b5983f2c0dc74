import { create, toBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import {
  CLUSTER,
  ENDPOINTS,
  type EncodedResource,
  EXTENSION_CONFIG,
  LISTENER,
  type ResourceSet,
  resourceSet,
  ROUTES,
  SECRET,
  VIRTUAL_HOST,
} from '../../xds/resource-set.ts';

/** A resource that is no message of its type: neither the subscription machine nor the streams look inside. */
export function fake(name: string, content = '1'): EncodedResource {
  const version = `${name}@${content}`;
  return { name, version, any: fakeAny(new TextEncoder().encode(version)) };
}

/** The bytes of an Any around these. */
export function fakeAny(value: Uint8Array): Uint8Array {
  return toBinary(AnySchema, create(AnySchema, { typeUrl: 'type.googleapis.com/test.Fake', value }));
}

export interface Content {
  readonly clusters?: Readonly<Record<string, string>>;
  readonly endpoints?: Readonly<Record<string, string>>;
  readonly listeners?: Readonly<Record<string, string>>;
  readonly extensions?: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly routes?: Readonly<Record<string, string>>;
  readonly hosts?: Readonly<Record<string, string>>;
}

const all = (named: Readonly<Record<string, string>> = {}): EncodedResource[] =>
  Object.entries(named).map(([name, content]) => fake(name, content));

/** A set of fake resources: name -> content. */
export function setOf(content: Content): ResourceSet {
  return resourceSet({
    [SECRET]: all(content.secrets),
    [CLUSTER]: all(content.clusters),
    [ENDPOINTS]: all(content.endpoints),
    [EXTENSION_CONFIG]: all(content.extensions),
    [LISTENER]: all(content.listeners),
    [ROUTES]: all(content.routes),
    [VIRTUAL_HOST]: all(content.hosts),
  });
}
