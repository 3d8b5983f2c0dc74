import { parsed, refused, type Parsed } from '../../ca/identity/parsed.ts';
import { parseTypeUrl, type TypeUrl } from '../resource-set.ts';
import type { BroughtVersions, DeltaRequest, SotwRequest, Variant } from '../subscription/event.ts';
import type { Limits } from './limits.ts';
import { type EnvoyVersion, readRequest, type WireRequest } from './request-wire.ts';

export interface Request {
  /** Empty where the message carries no node: Envoy may send it in the first message only. */
  readonly nodeId: string;
  /** Undefined where it does not say. */
  readonly envoy: EnvoyVersion | undefined;
  /** Undefined when the type is none that is served here. */
  readonly event: SotwRequest | DeltaRequest | undefined;
  readonly typeUrl: string;
}

const LONGEST_DETAIL = 2_000;
const LONGEST_VERSION = 256;

/** Reads one request from untrusted bytes. */
export function parseRequest(variant: Variant, bytes: Uint8Array, limits: Limits): Parsed<Request> {
  if (bytes.byteLength > limits.messageBytes) return refused(`a request is larger than ${limits.messageBytes} bytes`);
  let message: WireRequest;
  try {
    message = readRequest(variant, bytes);
  } catch {
    return refused('a request is not a valid protobuf message');
  }
  const { names, unsubscribe, initialVersions, version, nonce } = message;
  const wrong =
    namesReason(names, limits) ??
    namesReason(unsubscribe, limits) ??
    versionReason([version, nonce]) ??
    broughtReason(initialVersions, limits);
  if (wrong !== undefined) return refused(wrong);
  if (message.typeUrl.length > 512) return refused('type_url is too long');
  const type = parseTypeUrl(message.typeUrl);
  return parsed({
    nodeId: message.nodeId,
    envoy: message.envoy,
    typeUrl: message.typeUrl,
    event: type === undefined ? undefined : eventOf(variant, type, message),
  });
}

function eventOf(variant: Variant, type: TypeUrl, message: WireRequest): SotwRequest | DeltaRequest {
  const { names, unsubscribe, initialVersions, version, nonce } = message;
  return variant === 'sotw'
    ? { kind: 'sotw-request', type, names, version, nonce, ...errorOf(message) }
    : { kind: 'delta-request', type, subscribe: names, unsubscribe, initialVersions, nonce, ...errorOf(message) };
}

function errorOf({ error }: WireRequest): { readonly error?: string } {
  if (error === undefined) return {};
  return { error: error.message === '' ? `code ${error.code}` : error.message.slice(0, LONGEST_DETAIL) };
}

/** Of lists that many streams share. */
const longest = new WeakMap<readonly string[], number>();

function longestOf(names: readonly string[]): number {
  const known = longest.get(names);
  if (known !== undefined) return known;
  let length = 0;
  for (const name of names) if (name.length > length) ({ length } = name);
  longest.set(names, length);
  return length;
}

function namesReason(names: readonly string[], limits: Limits): string | undefined {
  if (names.length === 0) return undefined;
  if (names.length > limits.names) return `a request has more than ${limits.names} names`;
  return longestOf(names) > limits.nameLength ? `a resource name is longer than ${limits.nameLength} characters` : undefined;
}

function broughtReason(brought: BroughtVersions, limits: Limits): string | undefined {
  if (brought.size > limits.names) return `a request has more than ${limits.names} names`;
  let [name, version] = [0, 0];
  brought.forEach((itsVersion, itsName) => {
    if (itsName.length > name) name = itsName.length;
    if (itsVersion.length > version) version = itsVersion.length;
  });
  if (name > limits.nameLength) return `a resource name is longer than ${limits.nameLength} characters`;
  return version > LONGEST_VERSION ? 'a version or nonce is too long' : undefined;
}

function versionReason(versions: Iterable<string>): string | undefined {
  for (const version of versions) if (version.length > LONGEST_VERSION) return 'a version or nonce is too long';
  return undefined;
}
