import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { type Policy, PolicySchema, type Principal, PrincipalSchema } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { ConfigSchema } from '#gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.js';
import {
  type HttpFilter,
  HttpFilterSchema,
} from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { Layer } from './field.ts';
import { stringMatcher } from './text.ts';

/** Where the peer's URI SAN is kept for the filters of one request. */
export const PEER_KEY = 'gatehouse.peer';

/** The name of the policy that refuses a peer whose identity is in doubt. */
export const PEER_GUARD = 'gatehouse-peer-identity';

const SINGLE = '(?s)spiffe://[^,]+';

function inFilterState(regex: string): Principal {
  const value = {
    key: PEER_KEY,
    matcher: { case: 'stringMatch', value: stringMatcher({ kind: 'regex', value: regex }) },
  } as const;
  return create(PrincipalSchema, { identifier: { case: 'filterState', value } });
}

function authenticated(regex: string): Principal {
  return create(PrincipalSchema, {
    identifier: { case: 'authenticated', value: { principalName: stringMatcher({ kind: 'regex', value: regex }) } },
  });
}

/**
 * The peer's SPIFFE ID matches an RE2 expression, which begins with `spiffe://`. HTTP reads the URI SAN that
 * {@link peerFilter} wrote: no DNS name and no subject can take its place. A network filter has no such state when TLS
 * ends; there Envoy compares the URI SANs, then DNS SANs, then the subject, of which only a URI can begin so.
 */
export function peerMatches(regex: string, layer: Layer): Principal {
  return layer === 'tcp' ? authenticated(regex) : inFilterState(regex);
}

/** Writes the peer certificate's URI SANs, joined by commas, where policies read them; writes nothing without one. */
export function peerFilter(): HttpFilter {
  const config = create(ConfigSchema, {
    onRequestHeaders: [
      {
        key: { case: 'objectKey', value: PEER_KEY },
        factoryKey: 'envoy.string',
        value: {
          case: 'formatString',
          value: {
            format: {
              case: 'textFormatSource',
              value: { specifier: { case: 'inlineString', value: '%DOWNSTREAM_PEER_URI_SAN%' } },
            },
            omitEmptyValues: true,
          },
        },
        skipIfEmpty: true,
      },
    ],
  });
  return create(HttpFilterSchema, {
    name: 'gatehouse.peer',
    configType: { case: 'typedConfig', value: anyPack(ConfigSchema, config) },
  });
}

/**
 * Matches a peer that showed a certificate without exactly one SPIFFE ID: several URI SANs (the X.509-SVID standard,
 * section 2, has a validator reject those), a comma that could hide a second one, another scheme, or a certificate that
 * names only DNS names or a subject. It is part of the DENY filter, so that no other policy decides over such a peer.
 * On HTTP it also refuses everybody with a certificate should the filter in front be missing. On TCP several SPIFFE IDs
 * cannot be told from one; a rule then matches when one of them does.
 */
export function peerGuard(layer: Layer): Policy {
  const certified = authenticated('(?s).+');
  const doubtful = create(PrincipalSchema, {
    identifier: { case: 'notId', value: layer === 'tcp' ? authenticated(SINGLE) : inFilterState(SINGLE) },
  });
  const ids = [create(PrincipalSchema, { identifier: { case: 'andIds', value: { ids: [doubtful, certified] } } })];
  if (layer === 'tcp') ids.push(authenticated('(?s)spiffe://[^,]*,.*'));
  return create(PolicySchema, { permissions: [{ rule: { case: 'any', value: true } }], principals: ids });
}
