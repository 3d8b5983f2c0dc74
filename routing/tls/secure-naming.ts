import { create } from '@bufbuild/protobuf';
import {
  type SubjectAltNameMatcher,
  SubjectAltNameMatcher_SanType,
  SubjectAltNameMatcherSchema,
} from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { workloadsOf } from '../../mesh/model/endpoints.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';

type Kind = 'exact' | 'prefix';

function uri(kind: Kind, value: string): SubjectAltNameMatcher {
  return create(SubjectAltNameMatcherSchema, {
    sanType: SubjectAltNameMatcher_SanType.URI,
    matcher: { matchPattern: { case: kind, value } },
  });
}

function trustDomains(mesh: MeshConfig): readonly string[] {
  return [...new Set([mesh.trustDomain, ...mesh.trustDomainAliases])];
}

/**
 * Who may call in the mesh's mutual TLS: any identity of the trust domain, of one of its aliases, or of a trust domain that is federated
 * with. Any other domain under the same root fails.
 */
export function anyMeshIdentity(mesh: MeshConfig): SubjectAltNameMatcher[] {
  return [...trustDomains(mesh), ...(mesh.federatedTrustDomains ?? [])].map((domain) => uri('prefix', `spiffe://${domain}/`));
}

/**
 * Who may answer for a service (secure naming): the service accounts of the workloads behind it, ready or not, under every
 * name of the trust domain. Where none is known (endpoints given by address only), the identities of the service's own
 * namespace: never "anyone", which is what an empty list means to Envoy.
 * @param given the DestinationRule's own list, which replaces the computed one
 */
export function serverIdentities(snapshot: Snapshot, service: Service, given: readonly string[]): SubjectAltNameMatcher[] {
  if (given.length > 0) return given.map((name) => uri('exact', name));
  const accounts = new Set<string>();
  for (const workload of workloadsOf(snapshot, service)) accounts.add(`ns/${workload.namespace}/sa/${workload.serviceAccount}`);
  for (const endpoint of service.endpoints) {
    if (endpoint.serviceAccount !== undefined) accounts.add(`ns/${service.meta.namespace}/sa/${endpoint.serviceAccount}`);
  }
  const domains = trustDomains(snapshot.meshConfig);
  if (accounts.size === 0) return domains.map((domain) => uri('prefix', `spiffe://${domain}/ns/${service.meta.namespace}/sa/`));
  return domains.flatMap((domain) => [...accounts].sort().map((account) => uri('exact', `spiffe://${domain}/${account}`)));
}
