import { fromBinary } from '@bufbuild/protobuf';
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryRequest,
} from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { parsed, refused, type Parsed } from '../../ca/identity/parsed.ts';
import { parseTypeUrl, type TypeUrl } from '../resource-set.ts';
import type { DeltaRequest, SotwRequest, Variant } from '../subscription/event.ts';
import type { Limits } from './limits.ts';

export interface Request {
  /** Empty where the message carries no node: Envoy may send it in the first message only. */
  readonly nodeId: string;
  /** Undefined when the type is none that is served here. */
  readonly event: SotwRequest | DeltaRequest | undefined;
  readonly typeUrl: string;
}

const LONGEST_DETAIL = 2_000;
const LONGEST_VERSION = 256;

/** Reads one request from untrusted bytes. */
export function parseRequest(variant: Variant, bytes: Uint8Array, limits: Limits): Parsed<Request> {
  if (bytes.byteLength > limits.messageBytes) return refused(`a request is larger than ${limits.messageBytes} bytes`);
  try {
    return variant === 'sotw'
      ? sotw(fromBinary(DiscoveryRequestSchema, bytes, { readUnknownFields: false }), limits)
      : delta(fromBinary(DeltaDiscoveryRequestSchema, bytes, { readUnknownFields: false }), limits);
  } catch {
    return refused('a request is not a valid protobuf message');
  }
}

function sotw(message: DiscoveryRequest, limits: Limits): Parsed<Request> {
  const names = message.resourceNames;
  const wrong = namesReason(names, limits) ?? versionReason([message.versionInfo, message.responseNonce]);
  if (wrong !== undefined) return refused(wrong);
  return request(message, (type) => ({
    kind: 'sotw-request',
    type,
    names,
    version: message.versionInfo,
    nonce: message.responseNonce,
    ...errorOf(message),
  }));
}

function delta(message: DeltaDiscoveryRequest, limits: Limits): Parsed<Request> {
  const { resourceNamesSubscribe: subscribe, resourceNamesUnsubscribe: unsubscribe, initialResourceVersions } = message;
  const brought = Object.entries(initialResourceVersions);
  const wrong =
    namesReason(subscribe, limits) ??
    namesReason(unsubscribe, limits) ??
    namesReason(
      brought.map(([name]) => name),
      limits,
    ) ??
    versionReason([message.responseNonce, ...brought.map(([, version]) => version)]);
  if (wrong !== undefined) return refused(wrong);
  return request(message, (type) => ({
    kind: 'delta-request',
    type,
    subscribe,
    unsubscribe,
    initialVersions: initialResourceVersions,
    nonce: message.responseNonce,
    ...errorOf(message),
  }));
}

function request(
  message: DiscoveryRequest | DeltaDiscoveryRequest,
  event: (type: TypeUrl) => SotwRequest | DeltaRequest,
): Parsed<Request> {
  if (message.typeUrl.length > 512) return refused('type_url is too long');
  const type = parseTypeUrl(message.typeUrl);
  return parsed({
    nodeId: message.node?.id ?? '',
    typeUrl: message.typeUrl,
    event: type === undefined ? undefined : event(type),
  });
}

function errorOf({ errorDetail }: DiscoveryRequest | DeltaDiscoveryRequest): { readonly error?: string } {
  if (errorDetail === undefined) return {};
  const { message, code } = errorDetail;
  return { error: message === '' ? `code ${code}` : message.slice(0, LONGEST_DETAIL) };
}

function namesReason(names: readonly string[], limits: Limits): string | undefined {
  if (names.length > limits.names) return `a request has more than ${limits.names} names`;
  return names.some((name) => name.length > limits.nameLength)
    ? `a resource name is longer than ${limits.nameLength} characters`
    : undefined;
}

function versionReason(versions: readonly string[]): string | undefined {
  return versions.some((version) => version.length > LONGEST_VERSION) ? 'a version or nonce is too long' : undefined;
}
