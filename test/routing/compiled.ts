import assert from 'node:assert/strict';
import type { Proxy } from '../../mesh/model/proxy.ts';
import { formatDiagnostic } from '../../mesh/model/diagnostic.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { admit } from '../../mesh/admit/admit.ts';
import { DEFAULT_MESH_CONFIG } from '../../mesh/admit/mesh-config.ts';
import { buildSnapshot } from '../../mesh/admit/snapshot.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { documentsOf } from '../../mesh/source/load.ts';
import { type CompiledProxy, compileProxy } from '../../routing/compile.ts';
import { inboundSecurity } from '../../xds/resources/security.ts';

/** A snapshot of YAML text, in which every Deployment has an instance. Errors in an object fail the test; dangling references may be what is tested. */
export function snapshotOf(yaml: string, config: Partial<MeshConfig> = {}, number = 1): Snapshot {
  const meshConfig = { ...DEFAULT_MESH_CONFIG, ...config };
  const loaded = documentsOf('in.yaml', yaml);
  const { admitted, diagnostics } = admit(loaded.documents, { meshConfig, defaultNamespace: 'default' });
  const built = buildSnapshot(admitted, meshConfig, number, undefined, { assumePods: true });
  const errors = [...loaded.diagnostics, ...diagnostics].filter(({ severity }) => severity === 'error');
  assert.deepEqual(errors.map(formatDiagnostic), []);
  return built.snapshot;
}

/** The proxy `NAMESPACE/WORKLOAD`; `gateway:NAMESPACE/WORKLOAD` is a gateway. */
export function proxyOf(snapshot: Snapshot, name: string): Proxy {
  const kind = name.startsWith('gateway:') ? 'gateway' : 'sidecar';
  const key = name.slice(name.indexOf(':') + 1);
  const workload = snapshot.workloads.find((one) => `${one.namespace}/${one.name}` === key);
  const instance = workload?.instances[0];
  assert.ok(workload !== undefined && instance !== undefined, `no workload ${key} with an instance`);
  return { kind, workload, instance };
}

export function compiledFor(snapshot: Snapshot, name: string): CompiledProxy {
  const proxy = proxyOf(snapshot, name);
  return compileProxy(snapshot, proxy, inboundSecurity(snapshot, proxy.workload));
}
