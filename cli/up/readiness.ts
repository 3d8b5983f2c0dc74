import { adminGet, isLive } from '../../sds/envoy/admin.ts';
import { accepts, listensInNamespace } from './listening.ts';
import { type Pod, podKey } from './pod.ts';
import { syncStatus } from './sync-status.ts';

export interface WatchedPod {
  readonly pod: Pod;
  readonly adminSocket: string;
  readonly applicationPid: number | undefined;
}

async function applicationObstacle({ pod, applicationPid }: WatchedPod): Promise<string | undefined> {
  const port = pod.ports[0]?.port;
  if (pod.application === undefined || port === undefined) return undefined;
  if (applicationPid === undefined) return 'the application is not running';
  const open = pod.netns === undefined ? await accepts(pod.appAddress, port) : listensInNamespace(applicationPid, port);
  return open ? undefined : `the application does not listen on ${pod.appAddress}:${port}`;
}

async function proxyObstacle({ pod, adminSocket }: WatchedPod): Promise<string | undefined> {
  if (pod.kind === 'plain') return undefined;
  if (!(await isLive(adminSocket))) return 'Envoy is not live';
  try {
    const { body } = await adminGet(adminSocket, '/listeners');
    return body.trim() === '' ? 'Envoy has no listeners' : undefined;
  } catch {
    return 'Envoy does not answer';
  }
}

/**
 * What is still missing until the whole mesh serves: applications listen, every Envoy is live and has listeners, and the
 * control plane says that each has acknowledged the current snapshot. Empty when all is there.
 */
export async function missing(pods: readonly WatchedPod[], http: string): Promise<readonly string[]> {
  const found = await Promise.all(
    pods.map(async (watched) => {
      const obstacle = (await proxyObstacle(watched)) ?? (await applicationObstacle(watched));
      return obstacle === undefined ? [] : [`${podKey(watched.pod)}: ${obstacle}`];
    }),
  );
  const obstacles = found.flat();
  if (obstacles.length > 0) return obstacles;
  const status = await syncStatus(http);
  if (status === undefined) return ['the control plane does not answer'];
  return pods.flatMap(({ pod }) => {
    if (pod.kind === 'plain') return [];
    const refusal = status.rejected.get(podKey(pod));
    if (refusal !== undefined) return [`${podKey(pod)}: Envoy refused its configuration: ${refusal}`];
    const acknowledged = status.acknowledged.get(podKey(pod));
    if (acknowledged === undefined) return [`${podKey(pod)}: not connected to the control plane`];
    return acknowledged < status.snapshot ? [`${podKey(pod)}: has snapshot ${acknowledged} of ${status.snapshot}`] : [];
  });
}
