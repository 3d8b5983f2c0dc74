import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { parseWorkloadSpiffeId } from '../../ca/identity/spiffe-id.ts';
import type { Agent } from '../agent/agent.ts';
import type { AgentConfig, WorkloadConfig } from '../agent/config.ts';
import type { AgentEvent } from '../agent/event.ts';
import type { Timers } from '../clock.ts';
import { CsiRefusal, invalid } from './answer.ts';
import type { KeptPod, KeptPods } from './kept-pods.ts';
import type { Mounts } from './mounts.ts';
import type { Pod, WantedVolume } from './volume.ts';

/** More pods than a node runs; a bound for what one kubelet can make us hold. */
const MOST_PODS = 1000;
const SOCKET_WAIT_MS = 8000;
/** What Istio's proxies look for in their folder `workload-spiffe-uds`. */
export const SOCKET = 'socket';
/** What examples for the SPIFFE CSI driver name. */
const LINKS = Object.freeze(['spire-agent.sock', 'agent.sock', 'api.sock']);

export interface NodePodsOptions {
  readonly agent: Pick<Agent, 'apply'>;
  readonly config: Omit<AgentConfig, 'workloads'>;
  readonly ttlSeconds: number;
  readonly domain: string;
  readonly kept: KeptPods;
  readonly mounts: Mounts;
  readonly timers: Timers;
  readonly log: Logger;
}

/** The pods of this node that have a volume of ours. Owns their workloads, folders and mounts. */
export class NodePods {
  readonly #options: NodePodsOptions;
  readonly #pods = new Map<string, KeptPod>();
  readonly #turns = new Map<string, Promise<unknown>>();
  /** Resolved by the agent's word that a workload's sockets are there. */
  readonly #ready = new Map<string, PromiseWithResolvers<void>>();
  readonly #failures = new Map<string, string>();

  constructor(options: NodePodsOptions) {
    this.#options = options;
  }

  /** To be called with what the agent tells. */
  heard(event: AgentEvent): void {
    if (event.event === 'ready') {
      this.#failures.delete(event.workload);
      this.#readyOf(event.workload).resolve();
    } else if (event.event === 'failed' && event.code === 'SETUP') this.#failures.set(event.workload, event.reason);
  }

  /** Serves again what an agent before this one served, for as long as the pods are there. */
  async recover(pods: readonly KeptPod[], isThere: (target: string) => Promise<boolean>): Promise<void> {
    for (const kept of pods) {
      const there = await Promise.all(Object.values(kept.volumes).map(isThere));
      if (!there.includes(true) || this.#configOf(kept.pod).refused !== undefined) {
        await this.#options.kept.forget(kept.pod);
        continue;
      }
      await this.#options.kept.keep(kept);
      this.#pods.set(kept.pod.uid, kept);
    }
    await this.#apply();
  }

  /** @throws CsiRefusal */
  publish({ id, target, pod, token }: WantedVolume): Promise<void> {
    return this.#inTurn(pod.uid, async () => {
      const { kept, mounts, log } = this.#options;
      const known = this.#pods.get(pod.uid);
      if (known !== undefined && !samePod(known.pod, pod))
        throw invalid(`pod ${pod.uid} is already known under another name or account`);
      const at = known?.volumes[id];
      if (at !== undefined && at !== target)
        throw new CsiRefusal(status.ALREADY_EXISTS, `volume ${id} is already at another target_path`);
      if (known === undefined && this.#pods.size >= MOST_PODS)
        throw new CsiRefusal(status.RESOURCE_EXHAUSTED, `${MOST_PODS} pods have volumes of this driver already`);
      const { refused } = this.#configOf(pod);
      if (refused !== undefined) throw invalid(refused);
      // What is to be taken back is written down before it is made.
      if (at === undefined) {
        const next = { pod, volumes: { ...known?.volumes, [id]: target } };
        await kept.keep(next);
        this.#pods.set(pod.uid, next);
      }
      await kept.putToken(pod, token);
      if (known === undefined) {
        for (const link of LINKS) await symlink(SOCKET, join(kept.mounted(pod), link)).catch(() => {});
        await this.#apply();
        log.info({ workload: nameOf(pod), serviceAccount: pod.serviceAccount }, 'a pod came');
      }
      await this.#waitFor(pod);
      await mounts.bind(kept.mounted(pod), target);
    });
  }

  /** What is not known is not an error: the call may be repeated, or an agent before this one may have done half of it. */
  async unpublish(id: string, target: string): Promise<void> {
    const holder = [...this.#pods.values()].find(({ volumes }) => volumes[id] === target);
    if (holder === undefined) return this.#options.mounts.unbind(target);
    await this.#inTurn(holder.pod.uid, async () => {
      const { kept, mounts, log } = this.#options;
      await mounts.unbind(target);
      const current = this.#pods.get(holder.pod.uid);
      if (current === undefined) return;
      const { pod } = current;
      const { [id]: _, ...volumes } = current.volumes;
      if (Object.keys(volumes).length > 0) {
        this.#pods.set(pod.uid, { pod, volumes });
        return kept.keep({ pod, volumes });
      }
      this.#pods.delete(pod.uid);
      await this.#apply();
      this.#ready.delete(nameOf(pod));
      this.#failures.delete(nameOf(pod));
      await kept.forget(pod);
      log.info({ workload: nameOf(pod) }, 'a pod went');
    });
  }

  async #waitFor(pod: Pod): Promise<void> {
    const late = Promise.withResolvers<never>();
    const cancel = this.#options.timers.after(SOCKET_WAIT_MS, () => {
      const why = this.#failures.get(nameOf(pod)) ?? 'it takes long';
      late.reject(new CsiRefusal(status.UNAVAILABLE, `the pod's socket is not there yet: ${why}`));
    });
    try {
      await Promise.race([this.#readyOf(nameOf(pod)).promise, late.promise]);
    } finally {
      cancel();
    }
  }

  #readyOf(workload: string): PromiseWithResolvers<void> {
    const found = this.#ready.get(workload) ?? Promise.withResolvers<void>();
    this.#ready.set(workload, found);
    return found;
  }

  #apply(): Promise<void> {
    const workloads = [...this.#pods.values()].flatMap(({ pod }) => this.#configOf(pod).workload ?? []);
    return this.#options.agent.apply({ ...this.#options.config, workloads });
  }

  /** Made of the pod alone, so that one that did not change is served on. */
  #configOf(pod: Pod): { readonly workload?: WorkloadConfig; readonly refused?: string } {
    const { config, kept, ttlSeconds, domain } = this.#options;
    const id = parseWorkloadSpiffeId(config.trustDomain, pod.namespace, pod.serviceAccount);
    if (!id.ok) return { refused: id.reason };
    const { address, serverName } = config.controlPlane;
    const controlPlane = { ...address, serverName };
    const { namespace, serviceAccount, name } = pod;
    const workload: WorkloadConfig = {
      name: nameOf(pod),
      id: id.value,
      dnsNames: [],
      // The kubelet does not tell the address; it would be for a bootstrap, and no Envoy is started here.
      node: { kind: 'sidecar', ip: '127.0.0.1', namespace, serviceAccount, workload: name, pod: name, labels: {}, domain },
      tokenFile: kept.tokenFile(pod),
      ttlSeconds,
      runDir: kept.folder(pod),
      authority: controlPlane,
      controlPlane,
      xds: 'delta',
      secretFiles: [],
      mountedSocket: join(kept.mounted(pod), SOCKET),
    };
    return { workload };
  }

  /** One call at a time for each pod; the others do not wait. */
  async #inTurn<T>(uid: string, task: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(uid) ?? Promise.resolve();
    const mine = before.then(task, task);
    const settled = mine.catch(() => {});
    this.#turns.set(uid, settled);
    try {
      return await mine;
    } finally {
      if (this.#turns.get(uid) === settled) this.#turns.delete(uid);
    }
  }
}

/** Two pods may have one name for a moment: one that was deleted by force, and its successor. */
function nameOf({ namespace, name, uid }: Pod): string {
  return `${namespace}/${name}/${uid}`;
}

function samePod(one: Pod, other: Pod): boolean {
  return one.namespace === other.namespace && one.name === other.name && one.serviceAccount === other.serviceAccount;
}
