import { adminGet, isLive } from '../../sds/envoy/admin.ts';
import { accepts, listensInNamespace } from './listening.ts';
import { type Pod, podKey } from './pod.ts';
import { type SyncStatus, syncStatus } from './sync-status.ts';

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

/** What keeps a pod from serving, or undefined. */
export async function obstacle(watched: WatchedPod): Promise<string | undefined> {
  return (await proxyObstacle(watched)) ?? (await applicationObstacle(watched));
}

export interface Missing {
  readonly text: string;
  /** Only the pod's own application is missing; the mesh around it serves. */
  readonly application: boolean;
}

/**
 * What is still missing until the whole mesh serves: applications listen, every Envoy is live and has listeners, and the
 * control plane says that each has acknowledged the current snapshot. Empty when all is there.
 */
export async function missing(pods: readonly WatchedPod[], http: string): Promise<readonly Missing[]> {
  const obstacles = (await Promise.all(pods.map(missingOf))).flat();
  if (obstacles.some(({ application }) => !application)) return obstacles;
  const status = await syncStatus(http);
  const unsynced =
    status === undefined
      ? ['the control plane does not answer']
      : pods.flatMap(({ pod }) => (pod.kind === 'plain' ? [] : syncObstacle(podKey(pod), status)));
  return [...unsynced.map((text) => ({ text, application: false })), ...obstacles];
}

async function missingOf(watched: WatchedPod): Promise<readonly Missing[]> {
  const key = podKey(watched.pod);
  const proxy = await proxyObstacle(watched);
  if (proxy !== undefined) return [{ text: `${key}: ${proxy}`, application: false }];
  const application = await applicationObstacle(watched);
  return application === undefined ? [] : [{ text: `${key}: ${application}`, application: true }];
}

function syncObstacle(key: string, status: SyncStatus): readonly string[] {
  const refusal = status.rejected.get(key);
  if (refusal !== undefined) return [`${key}: Envoy refused its configuration: ${refusal}`];
  const acknowledged = status.acknowledged.get(key);
  if (acknowledged === undefined) return [`${key}: not connected to the control plane`];
  return acknowledged < status.snapshot ? [`${key}: has snapshot ${acknowledged} of ${status.snapshot}`] : [];
}
