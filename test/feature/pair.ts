// One caller and one server under strict mTLS (meshes/pair), asked through the gateway.
import { join } from 'node:path';
import type { CaptureMode } from './running-mesh.ts';
import { field, type Load } from './load.ts';
import { type Reply, RunningMesh, root } from './running-mesh.ts';

/** The status that the server gave to the client. */
export function serverStatus(reply: Reply): string {
  return String(field(reply.body, 'upstream', 'target', 'status'));
}

/** A call from outside to the client, which calls the server. */
export function throughClient(mesh: RunningMesh): Load {
  return {
    address: mesh.gateway,
    path: '/call?url=http://server:8080/',
    headers: { host: 'pair.localhost' },
    name: serverStatus,
  };
}

export function startPair(capture: CaptureMode, flags: readonly string[] = []): Promise<RunningMesh> {
  return RunningMesh.start([join(root, 'test', 'feature', 'meshes', 'pair')], capture, flags);
}

/** A rule that makes the server's callers get `status` without asking it. */
export function answerInstead(status: number): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: server
  namespace: pair
spec:
  hosts:
  - server
  http:
  - directResponse:
      status: ${String(status)}
`;
}
