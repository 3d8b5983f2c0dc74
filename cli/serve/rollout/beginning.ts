import { admitDocument } from '../../../mesh/admit/admit.ts';
import type { MeshConfig } from '../../../mesh/model/mesh-config.ts';
import type { NamespaceRollout } from '../../../mesh/model/namespace-rollout.ts';
import { parseText } from '../../../mesh/source/parse.ts';
import { isNamespaceName } from '../../../policy/rollout/record.ts';

export interface Beginning {
  readonly rollout: NamespaceRollout;
  /** As it is to be applied. */
  readonly object: Readonly<Record<string, unknown>>;
}

/** The NamespaceRollout of a namespace that has none: with every default. @throws Error where the namespace can have none */
export function beginning(namespace: string, meshConfig: MeshConfig): Beginning {
  if (!isNamespaceName(namespace)) throw new Error(`${namespace} is no name of a namespace`);
  const object = {
    apiVersion: 'gatehouse.dev/v1alpha1',
    kind: 'NamespaceRollout',
    metadata: { name: 'rollout', namespace },
    spec: { target: 'enforce', advance: 'Manual' },
  };
  const [node] = parseText(JSON.stringify(object)).nodes;
  const found = node && admitDocument({ file: 'the defaults', offset: 0, node }, { meshConfig, defaultNamespace: namespace });
  for (const { object: admitted } of found?.admitted ?? [])
    if (admitted.kind === 'NamespaceRollout') return { rollout: admitted.value, object };
  throw new Error(found?.diagnostics[0]?.message ?? `namespace ${namespace} can have no rollout`);
}
