import { create } from '@bufbuild/protobuf';
import { type Policy, PolicySchema, type Principal, PrincipalSchema } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import { certificateMatches, peerMatches } from './peer.ts';
import { escapeRegex, inGroups, oneOf } from './regex.ts';
import type { Text } from './test.ts';

/** The name of the policy that refuses peers whose identity or certificate was revoked, in response details and the audit. */
export const REVOKED = 'gatehouse-revoked';

export const NOBODY: RevokedPeers = Object.freeze({ identities: Object.freeze([]), serials: Object.freeze([]) });

/** Some texts as few comparisons: the cost of a request must not grow with the list. */
function texts(all: readonly string[]): readonly Text[] {
  const [only, another] = all;
  if (only === undefined) return [];
  if (another === undefined) return [{ kind: 'exact', value: only }];
  return inGroups(all.map(escapeRegex)).map((group) => ({ kind: 'regex', value: oneOf(group) }));
}

/**
 * Refuses revoked peers; undefined when there are none to refuse. On HTTP it is part of the DENY filter and decides over each request, so
 * also over those on connections that were open before.
 */
export function revokedPolicy({ identities, serials }: RevokedPeers): Policy | undefined {
  const ids: readonly Principal[] = [...texts(identities).map(peerMatches), ...texts(serials).map(certificateMatches)];
  if (ids.length === 0) return undefined;
  const either = create(PrincipalSchema, { identifier: { case: 'orIds', value: { ids: [...ids] } } });
  return create(PolicySchema, { permissions: [{ rule: { case: 'any', value: true } }], principals: [either] });
}
