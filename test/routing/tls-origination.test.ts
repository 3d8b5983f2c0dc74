import assert from 'node:assert/strict';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import type { TransportSocket } from '#gen/envoy/config/core/v3/base_pb.js';
import { type UpstreamTlsContext, UpstreamTlsContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { compiledFor, snapshotOf } from './compiled.ts';

const mesh = (tls: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: client}
spec:
  template:
    metadata: {labels: {app: client}}
    spec: {containers: [{name: client, ports: [{containerPort: 80}]}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: bank}
spec:
  hosts: [bank.example.org]
  location: MESH_EXTERNAL
  resolution: DNS
  ports: [{number: 443, name: http, protocol: HTTP}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: bank}
spec:
  host: bank.example.org
  trafficPolicy: {tls: {${tls}}}
`;

describe('TLS toward a destination', () => {
  const clusters = (tls: string): readonly string[] =>
    compiledFor(snapshotOf(mesh(tls)), 'default/client')
      .clusters.map(({ name }) => name)
      .filter((name) => name.includes('bank'));

  const socketOf = (tls: string): TransportSocket | undefined =>
    compiledFor(snapshotOf(mesh(tls)), 'default/client').clusters.find(({ name }) => name.includes('bank'))?.transportSocket;
  const contextOf = (tls: string): UpstreamTlsContext => {
    const config = socketOf(tls)?.configType;
    assert.ok(config?.case === 'typedConfig');
    const context = anyUnpack(config.value, UpstreamTlsContextSchema);
    assert.ok(context !== undefined);
    return context;
  };
  const rootsOf = ({ commonTlsContext }: UpstreamTlsContext): string | undefined => {
    const validation = commonTlsContext?.validationContextType;
    return validation?.case === 'combinedValidationContext'
      ? validation.value.validationContextSdsSecretConfig?.name
      : validation?.case;
  };

  it("trusts the system's authorities unless others are named", () => {
    assert.equal(rootsOf(contextOf('mode: SIMPLE')), 'file-root:system');
    assert.equal(rootsOf(contextOf('mode: SIMPLE, caCertificates: /etc/bank/ca.pem')), 'file-root:/etc/bank/ca.pem');
    assert.equal(rootsOf(contextOf('mode: SIMPLE, credentialName: bank')), 'kubernetes://bank-cacert');
    assert.equal(rootsOf(contextOf('mode: SIMPLE, insecureSkipVerify: true')), undefined);
  });

  it('shows the certificate of files or of a Secret', () => {
    const own = (tls: string) => contextOf(tls).commonTlsContext?.tlsCertificateSdsSecretConfigs.map(({ name }) => name);
    assert.deepEqual(own('mode: SIMPLE'), []);
    assert.deepEqual(own('mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem'), ['file-cert:/c.pem~/k.pem']);
    assert.deepEqual(own('mode: MUTUAL, credentialName: bank'), ['kubernetes://bank']);
  });

  it('asks for authorities and the list of what they revoked as one', () => {
    assert.equal(rootsOf(contextOf('mode: SIMPLE, caCertificates: /ca.pem, caCrl: /crl.pem')), 'file-root:/ca.pem~/crl.pem');
    assert.equal(rootsOf(contextOf('mode: SIMPLE, caCrl: /crl.pem')), 'file-root:system~/crl.pem');
  });

  it("takes the mesh's ciphers and curves", () => {
    const tlsDefaults = { cipherSuites: ['ECDHE-RSA-AES256-GCM-SHA384'], ecdhCurves: ['P-384'] };
    const { clusters: made } = compiledFor(snapshotOf(mesh('mode: SIMPLE'), { tlsDefaults }), 'default/client');
    const config = made.find(({ name }) => name.includes('bank'))?.transportSocket?.configType;
    assert.ok(config?.case === 'typedConfig');
    const params = anyUnpack(config.value, UpstreamTlsContextSchema)?.commonTlsContext?.tlsParams;
    assert.deepEqual(
      { cipherSuites: params?.cipherSuites, ecdhCurves: params?.ecdhCurves },
      { cipherSuites: [...tlsDefaults.cipherSuites], ecdhCurves: [...tlsDefaults.ecdhCurves] },
    );
  });

  it('may be turned off', () => {
    assert.deepEqual(clusters('mode: DISABLE'), ['outbound|443||bank.example.org']);
    assert.equal(socketOf('mode: DISABLE'), undefined);
  });
});
