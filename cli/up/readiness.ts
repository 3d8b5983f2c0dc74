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
  // A gateway without a Gateway has none, and is well.
  if (pod.kind === 'router') return undefined;
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
  /** Something of this pod alone is amiss, such as its application or one listener; the mesh around it serves. */
  readonly bearable: boolean;
}

/**
 * What is still missing until the whole mesh serves: applications listen, every Envoy is live and has listeners, and the
 * control plane says that each has acknowledged the current snapshot. Empty when all is there.
 */
export async function missing(pods: readonly WatchedPod[], http: string): Promise<readonly Missing[]> {
  const obstacles = (await Promise.all(pods.map(missingOf))).flat();
  if (obstacles.some(({ bearable }) => !bearable)) return obstacles;
  const status = await syncStatus(http);
  const unsynced =
    status === undefined
      ? [{ text: 'the control plane does not answer', bearable: false }]
      : pods.flatMap(({ pod }) => (pod.kind === 'plain' ? [] : syncObstacle(podKey(pod), status)));
  return [...unsynced, ...obstacles];
}

async function missingOf(watched: WatchedPod): Promise<readonly Missing[]> {
  const key = podKey(watched.pod);
  const proxy = await proxyObstacle(watched);
  if (proxy !== undefined) return [{ text: `${key}: ${proxy}`, bearable: false }];
  const application = await applicationObstacle(watched);
  return application === undefined ? [] : [{ text: `${key}: ${application}`, bearable: true }];
}

function syncObstacle(key: string, status: SyncStatus): readonly Missing[] {
  const refusal = status.rejected.get(key);
  if (refusal !== undefined) return [{ text: `${key}: Envoy refused a part of its configuration: ${refusal}`, bearable: true }];
  const acknowledged = status.acknowledged.get(key);
  if (acknowledged === undefined) return [{ text: `${key}: not connected to the control plane`, bearable: false }];
  if (acknowledged >= status.snapshot) return [];
  return [{ text: `${key}: has snapshot ${acknowledged} of ${status.snapshot}`, bearable: false }];
}
