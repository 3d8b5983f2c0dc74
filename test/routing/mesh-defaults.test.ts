import assert from 'node:assert/strict';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { HttpProtocolOptionsSchema } from '#gen/gatehouse/envoy/v3/http_protocol_options_pb.js';
import { Field } from '../../mesh/admit/field.ts';
import { readMeshConfig } from '../../mesh/admit/mesh-config.ts';
import { nodeOf } from '../../mesh/admit/node.ts';
import { Report } from '../../mesh/admit/report.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { type CompiledProxy } from '../../routing/compile.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { clientIn } from './workloads.ts';

function meshConfig(content: object): MeshConfig {
  const report = new Report('mesh.yaml', undefined);
  const read = readMeshConfig(new Field(nodeOf(content, 1), '', 1, report));
  assert.deepEqual(report.diagnostics, []);
  return read;
}

const MESH = `${clientIn('office')}
apiVersion: v1
kind: Service
metadata: {name: own, namespace: office}
spec: {selector: {app: own}, ports: [{name: http, port: 81}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: open, namespace: shop, annotations: {networking.istio.io/exportTo: "*"}}
spec: {selector: {app: open}, ports: [{name: http, port: 82}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: own, namespace: office}
spec: {host: own, trafficPolicy: {connectionPool: {tcp: {connectTimeout: 2s}, http: {h2UpgradePolicy: DO_NOT_UPGRADE}}}}
`;

function compiled(content: object): CompiledProxy {
  return compiledFor(snapshotOf(MESH, meshConfig(content)), 'office/client');
}

function clusterOf({ clusters }: CompiledProxy, host: string) {
  const found = clusters.find(({ name }) => name.endsWith(`||${host}.svc.cluster.local`));
  assert.ok(found !== undefined);
  return found;
}

describe('defaults of the mesh', () => {
  it('hold for destinations whose rules say nothing', () => {
    const made = compiled({ connectTimeout: '4s', tcpKeepalive: { probes: 3 }, h2UpgradePolicy: 'UPGRADE' });
    const [web, own] = [clusterOf(made, 'web.shop'), clusterOf(made, 'own.office')];
    assert.deepEqual([web.connectTimeout?.seconds, own.connectTimeout?.seconds], [4n, 2n]);
    assert.equal(web.upstreamConnectionOptions?.tcpKeepalive?.keepaliveProbes, 3);
    const spoken = [web, own].map(({ typedExtensionProtocolOptions }) => {
      const [options] = Object.values(typedExtensionProtocolOptions);
      const specific = options === undefined ? undefined : anyUnpack(options, HttpProtocolOptionsSchema)?.upstreamProtocolOptions;
      return specific?.case === 'explicitHttpConfig' ? specific.value.protocolConfig.case : specific?.case;
    });
    assert.deepEqual(spoken, ['http2ProtocolOptions', 'httpProtocolOptions']);
  });

  it('hold for routes that say nothing of retries', () => {
    const retries = (content: object) => {
      const routes = compiled(content).routes.find(({ name }) => name === '80');
      const action = routes?.virtualHosts.find(({ name }) => name.startsWith('web'))?.routes[0]?.action;
      return action?.case === 'route' ? action.value.retryPolicy?.numRetries : undefined;
    };
    assert.equal(retries({}), 2);
    assert.equal(retries({ defaultHttpRetryPolicy: { attempts: 5 } }), 5);
    assert.equal(retries({ defaultHttpRetryPolicy: { attempts: 0 } }), undefined);
  });

  it('hold for services that do not say where they are seen', () => {
    const seen = (content: object) =>
      compiled(content)
        .clusters.flatMap(({ name }) => (name.startsWith('outbound|') ? [name.split('|')[3]?.split('.')[0]] : []))
        .sort();
    assert.deepEqual(seen({}), ['open', 'own', 'web']);
    assert.deepEqual(seen({ defaultServiceExportTo: ['.'] }), ['open', 'own']);
    assert.deepEqual(seen({ defaultServiceExportTo: ['shop'] }), ['open']);
  });
});
