import assert from 'node:assert/strict';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { UpstreamTlsContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import type { CompiledProxy } from '../../routing/compile.ts';

/** The endpoints of a cluster in order: address and port, a weight as `xN`, `mtls` where so called, and the place. */
export function endpointsIn({ endpoints }: CompiledProxy, isCluster: (name: string) => boolean): readonly string[] {
  const assignment = endpoints.find(({ clusterName }) => isCluster(clusterName));
  const listed = (assignment?.endpoints ?? []).flatMap(({ lbEndpoints, locality }) =>
    lbEndpoints.map(({ hostIdentifier, metadata, loadBalancingWeight }) => {
      assert.ok(hostIdentifier.case === 'endpoint' && hostIdentifier.value.address?.address.case === 'socketAddress');
      const { address, portSpecifier } = hostIdentifier.value.address.address.value;
      const weight = loadBalancingWeight === undefined ? '' : ` x${loadBalancingWeight}`;
      const mtls = metadata?.filterMetadata['envoy.transport_socket_match'] === undefined ? '' : ' mtls';
      const place = locality === undefined ? '' : ` ${locality.region}/${locality.zone}`;
      return `${address}:${portSpecifier.value}${weight}${mtls}${place}`;
    }),
  );
  return listed.sort();
}

/** Who may answer for a host in mutual TLS. */
export function serversIn({ clusters }: CompiledProxy, host: string): readonly string[] {
  const socket = clusters.find(({ name }) => name.endsWith(`||${host}`))?.transportSocketMatches[0]?.transportSocket;
  assert.ok(socket?.configType.case === 'typedConfig');
  const validation = anyUnpack(socket.configType.value, UpstreamTlsContextSchema)?.commonTlsContext?.validationContextType;
  assert.ok(validation?.case === 'combinedValidationContext');
  const names = validation.value.defaultValidationContext?.matchTypedSubjectAltNames ?? [];
  return names.map(({ matcher }) => (matcher?.matchPattern.case === 'exact' ? matcher.matchPattern.value : 'not one name'));
}
