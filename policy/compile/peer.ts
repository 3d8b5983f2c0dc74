import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { type Filter, FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { type Policy, PolicySchema, type Principal, PrincipalSchema } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { ConfigSchema } from '#gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.js';
import {
  type HttpFilter,
  HttpFilterSchema,
} from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { ConfigSchema as TcpConfigSchema } from '#gen/gatehouse/envoy/v3/network_set_filter_state_pb.js';
import { type SourceLeaf, type Text, type Tree, all, leaf, not } from './test.ts';
import { stringMatcher } from './text.ts';

/** Where the peer's URI SAN is kept for the filters of one request or TCP connection. */
export const PEER_KEY = 'gatehouse.peer';

/** Where the serial number of its certificate is kept, in lower-case hexadecimal. */
export const SERIAL_KEY = 'gatehouse.peer.serial';

/** The name of the policy that refuses a peer whose identity is in doubt. */
export const PEER_GUARD = 'gatehouse-peer-identity';

export const SINGLE: Text = Object.freeze({ kind: 'regex', value: 'spiffe://[^,]+' });
const ANYTHING: Text = Object.freeze({ kind: 'regex', value: '(?s).+' });

function inFilterState(text: Text, key = PEER_KEY): Principal {
  const value = { key, matcher: { case: 'stringMatch', value: stringMatcher(text) } } as const;
  return create(PrincipalSchema, { identifier: { case: 'filterState', value } });
}

function authenticated(text: Text): Principal {
  return create(PrincipalSchema, { identifier: { case: 'authenticated', value: { principalName: stringMatcher(text) } } });
}

/**
 * The peer's SPIFFE ID is a text. It is read where {@link peerFilter} and {@link tcpPeerFilter} wrote the URI SAN: no DNS name and no
 * subject can take its place.
 */
export function peerMatches(text: Text): Principal {
  return inFilterState(text);
}

/** The serial number of the peer's certificate is a text. */
export function certificateMatches(text: Text): Principal {
  return inFilterState(text, SERIAL_KEY);
}

function kept(key: string, format: string) {
  return {
    key: { case: 'objectKey', value: key },
    factoryKey: 'envoy.string',
    value: {
      case: 'formatString',
      value: {
        format: { case: 'textFormatSource', value: { specifier: { case: 'inlineString', value: format } } },
        omitEmptyValues: true,
      },
    },
    skipIfEmpty: true,
  } as const;
}

const KEPT = [kept(PEER_KEY, '%DOWNSTREAM_PEER_URI_SAN%'), kept(SERIAL_KEY, '%DOWNSTREAM_PEER_SERIAL%')];

/**
 * Writes the peer certificate's URI SANs, joined by commas, and its serial number where policies read them; writes nothing without a
 * certificate.
 */
export function peerFilter(): HttpFilter {
  return PEER_FILTER;
}

const CONFIG = create(ConfigSchema, { onRequestHeaders: KEPT });
const PEER_FILTER = create(HttpFilterSchema, {
  name: 'gatehouse.peer',
  configType: { case: 'typedConfig', value: anyPack(ConfigSchema, CONFIG) },
});

/** As {@link peerFilter}, for the filters of one TCP connection: when the handshake is complete, before any byte of the caller passes. */
export function tcpPeerFilter(): Filter {
  return TCP_PEER_FILTER;
}

const TCP_CONFIG = create(TcpConfigSchema, { onDownstreamTlsHandshake: KEPT });
const TCP_PEER_FILTER = create(FilterSchema, {
  name: 'gatehouse.peer',
  configType: { case: 'typedConfig', value: anyPack(TcpConfigSchema, TCP_CONFIG) },
});

/**
 * A peer that showed a certificate without exactly one SPIFFE ID: several URI SANs (the X.509-SVID standard, section 2,
 * has a validator reject those), a comma that could hide a second one, another scheme, or a certificate that names only
 * DNS names or a subject. It is also everybody with a certificate should the filter in front be missing.
 */
export function doubtfulPeer(): Principal {
  const notSingle = create(PrincipalSchema, { identifier: { case: 'notId', value: inFilterState(SINGLE) } });
  return create(PrincipalSchema, { identifier: { case: 'andIds', value: { ids: [notSingle, authenticated(ANYTHING)] } } });
}

/** Refuses whoever is in doubt, as part of the DENY filter, so that no other policy decides over such a peer. */
export function peerGuard(): Policy {
  return create(PolicySchema, { permissions: [{ rule: { case: 'any', value: true } }], principals: [doubtfulPeer()] });
}

/** True when only a peer with exactly one SPIFFE ID can pass, so that no further guard is needed. */
function identifies(tree: Tree<SourceLeaf>): boolean {
  switch (tree.op) {
    case 'leaf':
      return tree.leaf.test === 'peer';
    case 'all':
      return tree.of.some(identifies);
    case 'any':
      return tree.of.every(identifies);
    case 'never':
      return true;
    case 'always':
    case 'not':
      return false;
    default:
      return tree satisfies never;
  }
}

/** The source of a rule that grants, closed to whoever is in doubt. */
export function guarded(source: Tree<SourceLeaf>): Tree<SourceLeaf> {
  return identifies(source) ? source : all([source, not(leaf({ test: 'doubtful-peer' }))]);
}
