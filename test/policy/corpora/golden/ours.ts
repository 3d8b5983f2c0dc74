import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type JsonValue, toJson } from '@bufbuild/protobuf';
import { stringify } from 'yaml';
import { FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { HttpFilterSchema } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { loadMesh } from '../../../../mesh/source/mesh.ts';
import { peerFilter } from '../../../../policy/compile/peer.ts';
import { EXTENSIONS } from '../../../../routing/wire/registry.ts';
import { inboundSecurity } from '../../../../xds/resources/security.ts';
import { proxyOf } from '../../../routing/compiled.ts';
import { type Record, recordOf } from './record.ts';

export interface Compiling {
  readonly folder: string;
  readonly layer: 'http' | 'tcp';
  readonly meshConfig: Record;
  readonly workload: { readonly namespace: string; readonly labels: Readonly<globalThis.Record<string, string>> };
}

/** The service that providers of cases name. */
const AUTHORIZER = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'my-custom-ext-authz', namespace: 'foo' },
  spec: { ports: [{ name: 'grpc', port: 9000 }] },
};

function rbacOf(filter: JsonValue): Record | undefined {
  const config = recordOf(recordOf(filter)['typedConfig']);
  return typeof config['@type'] === 'string' && config['@type'].endsWith('rbac.v3.RBAC') ? config : undefined;
}

/** The RBAC filters that Gatehouse puts in front of a workload, as JSON; policies are read and compiled as everywhere. */
export function compiled(policies: readonly Record[], { folder, layer, meshConfig, workload }: Compiling): readonly Record[] {
  const { namespace, labels } = workload;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'workload', namespace, labels },
    spec: { containers: [{ name: 'app' }] },
    status: { podIP: '127.200.0.3' },
  };
  const file = join(folder, 'mesh.yaml');
  writeFileSync(file, [pod, AUTHORIZER, ...policies].map((one) => stringify(one)).join('---\n'));
  const meshConfigFile = join(folder, 'mesh-config.yaml');
  writeFileSync(meshConfigFile, stringify(meshConfig));
  const { snapshot, diagnostics } = loadMesh({ paths: [file], meshConfigFile });
  assert.deepEqual(
    diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  );
  const security = inboundSecurity(snapshot, proxyOf(snapshot, `${namespace}/workload`).workload);
  const filters =
    layer === 'http'
      ? security.httpFilters().map((one) => toJson(HttpFilterSchema, one, { registry: EXTENSIONS }))
      : security.networkFilters().map((one) => toJson(FilterSchema, one, { registry: EXTENSIONS }));
  return filters.map(rbacOf).filter((one) => one !== undefined);
}

/** What must stand before such filters: it tells them who calls. */
export function peerBefore(): readonly object[] {
  return [Object(toJson(HttpFilterSchema, peerFilter(), { registry: EXTENSIONS })) as object];
}
