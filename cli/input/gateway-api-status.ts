import { secretsIn } from '../../mesh/admit/check/secret-state.ts';
import { CONTROLLERS } from '../../mesh/gateway-api/classes.ts';
import { judge } from '../../mesh/gateway-api/status/judge.ts';
import { mergedStatus } from '../../mesh/gateway-api/status/merge.ts';
import { isGatewayApiKind } from '../../mesh/model/gateway-api-kinds.ts';
import { loadMesh } from '../../mesh/source/mesh.ts';
import { isRecord, type Manifest } from './manifest.ts';

/** Objects of the Gateway API with the status that a controller would write to them, judged among all of the folder. */
export function withStatus(found: readonly Manifest[], folder: string, now: Date): readonly Manifest[] {
  if (!found.some(({ kind }) => isGatewayApiKind(kind))) return found;
  const { snapshot, written } = loadMesh({ paths: [folder] });
  const statuses = new Map(
    judge(snapshot, secretsIn(written)).statuses.map((one) => [`${one.kind} ${one.meta.namespace}/${one.meta.name}`, one]),
  );
  return found.map((one) => {
    const status = statuses.get(`${one.kind} ${one.namespace}/${one.name}`);
    if (status === undefined) return one;
    const metadata = isRecord(one.value['metadata']) ? one.value['metadata'] : {};
    const generation = typeof metadata['generation'] === 'number' ? metadata['generation'] : undefined;
    return {
      ...one,
      value: { ...one.value, status: mergedStatus(status, one.value['status'], { generation, now }, CONTROLLERS) },
    };
  });
}
