import { admitDocument } from '../../../mesh/admit/admit.ts';
import { Field } from '../../../mesh/admit/field.ts';
import { DEFAULT_MESH_CONFIG, readMeshConfig } from '../../../mesh/admit/mesh-config.ts';
import { nodeOf } from '../../../mesh/admit/node.ts';
import { Report } from '../../../mesh/admit/report.ts';
import type { Diagnostic } from '../../../mesh/model/diagnostic.ts';
import { expand } from './corpora.ts';
import type { Wrapped } from './wrap.ts';

const GROUPS: Readonly<Record<string, string>> = Object.freeze({
  AuthorizationPolicy: 'security.istio.io/v1',
  PeerAuthentication: 'security.istio.io/v1',
  RequestAuthentication: 'security.istio.io/v1',
});

/** The errors that admission finds in an object. */
export function errorsOf({ kind, spec, annotations, name, namespace }: Wrapped): readonly Diagnostic[] {
  if (kind === 'MeshConfig') {
    const report = new Report('mesh.yaml', undefined);
    readMeshConfig(new Field(nodeOf(expand(spec), 1), '', 1, report));
    return report.diagnostics.filter(({ severity }) => severity === 'error');
  }
  const object = {
    apiVersion: GROUPS[kind] ?? 'networking.istio.io/v1',
    kind,
    metadata: { name: name ?? 'case', namespace: namespace ?? 'default', annotations },
    spec: expand(spec),
  };
  const { diagnostics } = admitDocument(
    { file: 'case.yaml', offset: 0, node: nodeOf(object, 1) },
    { meshConfig: DEFAULT_MESH_CONFIG, defaultNamespace: 'default' },
  );
  return diagnostics.filter(({ severity }) => severity === 'error');
}
