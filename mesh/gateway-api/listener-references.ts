import type { Authorities, KeyPair } from '../model/destination-rule.ts';
import type { FrontendValidation, KubernetesGateway, Listener, ObjectRef } from '../model/gateway-api.ts';
import { GATEWAY_API_GROUP } from '../model/gateway-api-kinds.ts';
import type { ServerTls } from '../model/gateway.ts';
import type { Meta } from '../model/object.ts';
import type { Reason } from './reason.ts';
import type { World } from './world.ts';

/** Whose a listener is: a grant must name that kind. */
export interface Owner {
  readonly kind: 'Gateway' | 'ListenerSet';
  readonly meta: Meta;
}

/** Kinds of routes by what a listener speaks. */
function servedKinds({ protocol, tls }: Listener): readonly string[] {
  switch (protocol) {
    case 'HTTP':
    case 'HTTPS':
      return ['HTTPRoute', 'GRPCRoute'];
    case 'TLS':
      return tls.kind === 'passthrough' ? ['TLSRoute'] : ['TLSRoute', 'TCPRoute'];
    case 'TCP':
      return ['TCPRoute'];
    case 'other':
      return [];
    default:
      return protocol satisfies never;
  }
}

/** Those that a listener takes: of those that it names the ones that its protocol can carry. */
export function routeKinds(listener: Listener): { readonly kinds: readonly string[]; readonly invalid: readonly string[] } {
  const served = servedKinds(listener);
  if (listener.kinds.length === 0) return { kinds: served, invalid: [] };
  const fits = (one: Listener['kinds'][number]) => one.group === GATEWAY_API_GROUP && served.includes(one.kind);
  return {
    kinds: [...new Set(listener.kinds.filter(fits).map(({ kind }) => kind))],
    invalid: listener.kinds.filter((one) => !fits(one)).map(({ kind }) => kind),
  };
}

export const nameOf = ({ kind, namespace, name }: ObjectRef): string => `${kind} ${namespace}/${name}`;

/** @param home where the gateway's pods are, whose agent names Secrets of its own namespace without it */
export function keyPair(world: World, owner: Owner, ref: ObjectRef, home: string): KeyPair | Reason {
  if (ref.kind !== 'Secret' || (ref.group !== '' && ref.group !== 'core'))
    return { reason: 'InvalidCertificateRef', message: `${nameOf(ref)} is no Secret` };
  if (!world.granted(owner.kind, owner.meta.namespace, { ...ref, group: '' }))
    return {
      reason: 'RefNotPermitted',
      message: `no ReferenceGrant in ${ref.namespace} lets ${owner.kind}s of ${owner.meta.namespace} use ${nameOf(ref)}`,
    };
  return { kind: 'secret', name: ref.namespace === home ? ref.name : `${ref.namespace}/${ref.name}` };
}

/** Certificates of authorities that others refer to; with them why some are not to be had. */
export function authoritiesOf(
  world: World,
  from: { readonly kind: string; readonly namespace: string },
  refs: readonly ObjectRef[],
): { readonly authorities: Authorities | undefined; readonly problems: readonly Reason[] } {
  const problems: Reason[] = [];
  const found = refs.flatMap((ref) => {
    if (ref.kind !== 'ConfigMap' || (ref.group !== '' && ref.group !== 'core')) {
      problems.push({ reason: 'InvalidKind', message: `${nameOf(ref)} is no ConfigMap` });
      return [];
    }
    if (!world.granted(from.kind, from.namespace, { ...ref, group: '' })) {
      problems.push({
        reason: 'RefNotPermitted',
        message: `no ReferenceGrant in ${ref.namespace} lets ${from.kind}s of ${from.namespace} use ${nameOf(ref)}`,
      });
      return [];
    }
    const map = world.configMap(ref);
    if (map?.authorities === undefined)
      problems.push({
        reason: 'InvalidCACertificateRef',
        message: map === undefined ? `there is no ${nameOf(ref)}` : `${nameOf(ref)} has no certificates in ca.crt`,
      });
    return map?.authorities ?? [];
  });
  return { authorities: found.length === 0 ? undefined : { kind: 'inline', pem: found.join('') }, problems };
}

export interface ListenerTls {
  readonly tls: ServerTls;
  /** Why references of it do not resolve. */
  readonly unresolved: readonly Reason[];
  /** Why it cannot be opened at all. */
  readonly refused: Reason | undefined;
}

function frontendOf({ frontend }: KubernetesGateway, { port, protocol }: Listener): FrontendValidation | undefined {
  if (protocol !== 'HTTPS') return undefined;
  const found = frontend.get(port) ?? frontend.get(undefined);
  return found === undefined || found.authorities.length === 0 ? undefined : found;
}

/** TLS of a listener with what it refers to. One that cannot be as it is asked for is never a lesser one. */
export function listenerTls(world: World, gateway: KubernetesGateway, owner: Owner, listener: Listener): ListenerTls {
  const { tls } = listener;
  if (tls.kind !== 'terminate') return { tls, unresolved: [], refused: undefined };
  const pairs = listener.certificates.map((ref) => keyPair(world, owner, ref, gateway.meta.namespace));
  const unresolved = pairs.flatMap((pair) => ('reason' in pair ? [pair] : []));
  if (pairs.length === 0) unresolved.push({ reason: 'InvalidCertificateRef', message: 'it names no certificate' });
  const closed: ServerTls = { kind: 'unavailable' };
  if (unresolved.length > 0) return { tls: closed, unresolved, refused: undefined };
  const keyPairs = pairs.flatMap((pair) => ('reason' in pair ? [] : [pair]));
  const validation = frontendOf(gateway, listener);
  if (validation === undefined) return { tls: { ...tls, keyPairs }, unresolved, refused: undefined };
  const from = { kind: 'Gateway', namespace: gateway.meta.namespace };
  const { authorities, problems } = authoritiesOf(world, from, validation.authorities);
  // Here the API has a name of its own for a reference to the wrong kind.
  const named = problems.map((one) => (one.reason === 'InvalidKind' ? { ...one, reason: 'InvalidCACertificateKind' } : one));
  if (authorities === undefined)
    return {
      tls: closed,
      unresolved: named,
      refused: { reason: 'NoValidCACertificate', message: 'there is nothing to check certificates of clients against' },
    };
  const clients = validation.insecure ? 'optional' : 'required';
  return { tls: { ...tls, keyPairs, clients, authorities }, unresolved: named, refused: undefined };
}
