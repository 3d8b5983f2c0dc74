import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { sidecarFor } from '../sidecar-scope.ts';
import { viewFrom } from '../view.ts';
import type { Answer } from './answer.ts';
import { byGateway } from './gateway.ts';
import type { Asker, RouteRequest } from './question.ts';
import { bySidecar } from './sidecar.ts';

/**
 * What becomes of one request: a reading of the objects of its own, independent of the Envoy configuration that routing/ compiles, so that the
 * two can be held against each other. Shared with it is only what decides which objects a proxy sees: view, Sidecar, delegates, visibility.
 */
export function evaluateRoute(snapshot: Snapshot, asker: Asker, request: RouteRequest): Answer {
  const view = viewFrom(snapshot, asker.workload.namespace, sidecarFor(snapshot, asker));
  const world = { snapshot, view, asker };
  return asker.kind === 'gateway' ? byGateway(world, request) : bySidecar(world, request);
}
