import assert from 'node:assert/strict';
import { fromBinary } from '@bufbuild/protobuf';
import { Cluster_DiscoveryType } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { UpstreamTlsContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { compiledFor, snapshotOf } from './compiled.ts';

const CALLER = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: caller, namespace: shop}
spec: {template: {metadata: {labels: {app: caller}}, spec: {containers: [{name: app}]}}}
---`;

const entry = (name: string, spec: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec: {hosts: [api.example.com], ${spec}}
---`;

const rule = (tls: string): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: api, namespace: shop}
spec: {host: api.example.com, trafficPolicy: {tls: {${tls}}}, subsets: [{name: none, labels: {version: none}}]}
---`;

const clustersOf = (yaml: string) =>
  compiledFor(snapshotOf(CALLER + yaml), 'shop/caller').clusters.filter(({ name }) => name.endsWith('|api.example.com'));

const HTTPS = 'ports: [{number: 443, name: http, protocol: HTTP}]';

/** The names of which the server's certificate must bear one. */
function names(yaml: string): readonly string[] {
  const socket = clustersOf(yaml)[0]?.transportSocket?.configType;
  assert.equal(socket?.case, 'typedConfig');
  const type = fromBinary(UpstreamTlsContextSchema, socket.value.value).commonTlsContext?.validationContextType;
  const context = type?.case === 'combinedValidationContext' ? type.value.defaultValidationContext : type?.value;
  assert.ok(context !== undefined && 'matchTypedSubjectAltNames' in context);
  return [
    ...new Set(
      context.matchTypedSubjectAltNames.map(({ matcher }) => {
        const pattern = matcher?.matchPattern;
        return pattern?.case === 'exact' ? pattern.value : '';
      }),
    ),
  ];
}

describe('ServiceEntry', () => {
  it('of DNS_ROUND_ROBIN is one address at a time, of DNS all of them', () => {
    const kinds = (yaml: string) => clustersOf(yaml).map(({ clusterDiscoveryType: { value } }) => value);
    const robin = entry('api', `${HTTPS}, resolution: DNS_ROUND_ROBIN, endpoints: [{address: a.example.com}]`);
    assert.deepEqual(kinds(robin), [Cluster_DiscoveryType.LOGICAL_DNS]);
    assert.deepEqual(kinds(entry('api', `${HTTPS}, resolution: DNS`)), [Cluster_DiscoveryType.STRICT_DNS]);
    // A subset without endpoints: Envoy would refuse it as LOGICAL_DNS.
    assert.deepEqual(kinds(robin + rule('mode: DISABLE')), [Cluster_DiscoveryType.LOGICAL_DNS, Cluster_DiscoveryType.STRICT_DNS]);
  });

  it('names the server, unless a DestinationRule does', () => {
    const named = entry('api', `${HTTPS}, resolution: DNS, subjectAltNames: [one.example.com]`);
    assert.deepEqual(names(named + rule('mode: SIMPLE')), ['one.example.com']);
    assert.deepEqual(names(named + rule('mode: SIMPLE, subjectAltNames: [two.example.com]')), ['two.example.com']);
    const inside = entry(
      'api',
      `${HTTPS}, resolution: STATIC, location: MESH_INTERNAL, endpoints: [{address: 10.0.0.9}], subjectAltNames: ["spiffe://cluster.local/ns/shop/sa/api"]`,
    );
    assert.deepEqual(names(inside + rule('mode: ISTIO_MUTUAL')), ['spiffe://cluster.local/ns/shop/sa/api']);
  });

  it('in parts is one service: each port once, with the endpoints written beside it', () => {
    const part = (name: string, port: number, address: string) =>
      entry(
        name,
        `ports: [{number: ${port}, name: http-${port}, protocol: HTTP}], resolution: STATIC, endpoints: [{address: ${address}}]`,
      );
    const { endpoints } = compiledFor(snapshotOf(CALLER + part('a', 80, '10.0.0.1') + part('b', 81, '10.0.0.2')), 'shop/caller');
    const shown = endpoints
      .filter(({ clusterName }) => clusterName.endsWith('|api.example.com'))
      .map(({ clusterName, endpoints: found }) => [
        clusterName.split('|')[1],
        found.flatMap(({ lbEndpoints }) =>
          lbEndpoints.map(({ hostIdentifier }) =>
            hostIdentifier.case === 'endpoint' && hostIdentifier.value.address?.address.case === 'socketAddress'
              ? hostIdentifier.value.address.address.value.address
              : '',
          ),
        ),
      ]);
    assert.deepEqual(shown, [
      ['80', ['10.0.0.1']],
      ['81', ['10.0.0.2']],
    ]);
  });
});
