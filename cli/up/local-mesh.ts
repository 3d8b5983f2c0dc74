import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { proxyStart } from '../../mesh/model/proxy-settings.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { workloadPaths } from '../../sds/agent/run-directory.ts';
import { type AgentInput, agentConfig } from './agent-config.ts';
import type { Agent } from './agent.ts';
import type { Applications } from './applications.ts';
import type { Capture } from './capture.ts';
import { readEnvironments } from './container.ts';
import { gatewayObjects } from './gateway-objects.ts';
import { type GatewayPort, type StartedGateway, startedGateways } from './gateway-ports.ts';
import type { UpOptions } from './options.ts';
import type { Output } from './output.ts';
import { planPods } from './plan.ts';
import { podObject } from './pod-object.ts';
import { type Pod, podKey } from './pod.ts';
import type { WatchedPod } from './readiness.ts';
import { type RunDir, writeAtomically } from './run-dir.ts';
import { Rollout } from './rollout.ts';
import { Slots } from './slots.ts';
import type { TokenIssuer } from './tokens.ts';

const PROXY_STOP_MS = 8000;

export interface LocalMeshParts {
  readonly options: UpOptions;
  readonly dir: RunDir;
  readonly agentDir: string;
  readonly capture: Capture;
  readonly applications: Applications;
  readonly agent: Agent;
  readonly issuer: TokenIssuer;
  readonly output: Output;
  readonly gatewayPort: number;
  readonly controlPlaneAddress: string;
  readonly addressFromNetns: string | undefined;
  /** Gives an unused port for a Gateway's further ports; absent: the usual ones are taken. */
  readonly freePort: ((wanted: number) => number) | undefined;
}

/** The pods of this machine: makes them what the snapshot asks for. Changes are applied one at a time, by the caller. */
export class LocalMesh {
  readonly #parts: LocalMeshParts;
  readonly #pods = new Map<string, Pod>();
  readonly #slots = new Slots();
  readonly #unready = new Set<string>();
  readonly #told = new Set<string>();
  readonly #rollout = new Rollout(
    (key) => {
      const pod = this.#pods.get(key);
      return pod && this.#watch(pod);
    },
    (keys) => this.#letIn(keys),
  );
  #gateways: readonly StartedGateway[] = [];
  #gatewayText = '';
  #agentText = '';

  constructor(parts: LocalMeshParts) {
    this.#parts = parts;
  }

  /** Of Istio's Gateways. */
  get gatewayPorts(): readonly GatewayPort[] {
    return this.#gateways.find(({ of }) => of === undefined)?.ports ?? [];
  }

  /** The gateways of the Gateway API, by `namespace/name`. */
  get deployedGateways(): ReadonlyMap<string, readonly GatewayPort[]> {
    return new Map(
      this.#gateways.flatMap(({ of, ports }) =>
        of === undefined ? [] : [[`${of.gateway.meta.namespace}/${of.gateway.meta.name}`, ports] as const],
      ),
    );
  }

  pods(): readonly Pod[] {
    return [...this.#pods.values()].sort((a, b) => (podKey(a) < podKey(b) ? -1 : 1));
  }

  watched(): readonly WatchedPod[] {
    return this.pods().map((pod) => this.#watch(pod));
  }

  #watch(pod: Pod): WatchedPod {
    return {
      pod,
      adminSocket: workloadPaths(this.#parts.agentDir, pod.namespace, pod.name).adminSocket,
      applicationPid: this.#parts.applications.pid(podKey(pod)),
    };
  }

  /**
   * Starts, changes and stops pods until they are what `snapshot` asks for.
   * @param serving the mesh is in use: a new pod gets requests only once its proxy is ready
   */
  async apply(snapshot: Snapshot, serving: boolean): Promise<void> {
    const { options, capture, output } = this.#parts;
    this.#gateways = startedGateways(snapshot, this.#parts.gatewayPort, this.#gateways, this.#parts.freePort);
    const plan = planPods({
      snapshot,
      images: options.images,
      environments: readEnvironments(options.paths),
      placement: capture.placement,
      gateways: this.#gateways,
      slotOf: (pod) => this.#slots.take(pod),
      // In a network namespace the application is another user than Envoy, whose socket the other one is.
      socketOf: (namespace, pod) => {
        const { sdsSocket, apiSocket } = workloadPaths(this.#parts.agentDir, namespace, pod);
        return capture.placement.kind === 'explicit' ? sdsSocket : apiSocket;
      },
    });
    output.diagnostics(plan.diagnostics.filter((found) => this.#isNew(`${found.object ?? ''} ${found.message}`)));
    this.#writeGateway(plan.addsGateway);
    const wanted = new Map(plan.pods.map((pod) => [podKey(pod), pod]));
    const gone = [...this.#pods.values()].filter((pod) => wanted.get(podKey(pod))?.kind !== pod.kind);
    await this.#remove(gone);
    const added: Pod[] = [];
    for (const [key, pod] of wanted) {
      const before = this.#pods.get(key);
      if (before === undefined) added.push(pod);
      else if (JSON.stringify(before) !== JSON.stringify(pod)) await this.#change(before, pod);
    }
    await Promise.all(added.map((pod) => this.#add(pod, snapshot, serving)));
    this.#writeAgent(snapshot);
    capture.refreshNames(snapshot, this.#pods.values());
    if (serving) this.#rollout.begin(added.map(podKey).filter((key) => this.#unready.has(key)));
  }

  /** These pods serve, so they may get requests. */
  #letIn(keys: readonly string[]): void {
    for (const key of keys) {
      const pod = this.#pods.get(key);
      if (pod === undefined || !this.#unready.delete(key)) continue;
      this.#writePod(pod);
      this.#parts.output.step(`${key} is ready`);
      this.#parts.output.event({ event: 'pod-ready', workload: `${pod.namespace}/${pod.workload}`, pod: pod.name });
    }
  }

  close(): void {
    this.#rollout.close();
  }

  async refreshTokens(): Promise<void> {
    await Promise.all([...this.#pods.values()].map((pod) => this.#writeToken(pod)));
  }

  #isNew(text: string): boolean {
    if (this.#told.has(text)) return false;
    this.#told.add(text);
    return true;
  }

  async #add(pod: Pod, snapshot: Snapshot, serving: boolean): Promise<void> {
    const { capture, applications, output } = this.#parts;
    const key = podKey(pod);
    try {
      await this.#writeToken(pod);
      await capture.addPod(pod);
      capture.refreshNames(snapshot, [pod]);
    } catch (error) {
      output.problem(`${key} cannot be started: ${error instanceof Error ? error.message : String(error)}`);
      await capture.removePod(pod);
      return;
    }
    this.#pods.set(key, pod);
    if (serving && pod.kind !== 'router') this.#unready.add(key);
    this.#writePod(pod);
    applications.start(pod);
    if (serving) {
      output.step(`${key} starts`);
      output.event({ event: 'pod-added', workload: `${pod.namespace}/${pod.workload}`, pod: pod.name, ip: pod.ip });
    }
  }

  /** Labels, ports, account or application of a pod that stays where it is. */
  async #change(before: Pod, pod: Pod): Promise<void> {
    const { applications } = this.#parts;
    const key = podKey(pod);
    this.#pods.set(key, pod);
    if (before.serviceAccount !== pod.serviceAccount) await this.#writeToken(pod);
    this.#writePod(pod);
    if (JSON.stringify(before.application) === JSON.stringify(pod.application)) return;
    await applications.stop(key);
    applications.start(pod);
  }

  /** First no new requests, then no proxy, then no application, then no network. */
  async #remove(gone: readonly Pod[]): Promise<void> {
    const { capture, applications, agent, output, dir } = this.#parts;
    if (gone.length === 0) return;
    for (const pod of gone) {
      this.#pods.delete(podKey(pod));
      this.#unready.delete(podKey(pod));
      rmSync(this.#podFile(pod), { force: true });
    }
    const proxiesGone = gone.filter((pod) => pod.kind !== 'plain').map((pod) => agent.stopped(podKey(pod), PROXY_STOP_MS));
    this.#writeAgent(undefined);
    await Promise.all(proxiesGone);
    for (const pod of gone) {
      const key = podKey(pod);
      await applications.stop(key);
      await capture.removePod(pod);
      rmSync(join(dir.tokens, `${pod.namespace}.${pod.name}`), { force: true });
      this.#slots.release(key);
      output.step(`${key} stopped`);
      output.event({ event: 'pod-removed', workload: `${pod.namespace}/${pod.workload}`, pod: pod.name });
    }
  }

  #podFile(pod: Pod): string {
    return join(this.#parts.dir.pods, `${pod.namespace}.${pod.name}.yaml`);
  }

  #writePod(pod: Pod): void {
    const ready = !this.#unready.has(podKey(pod));
    writeAtomically(this.#podFile(pod), podObject(pod, this.#parts.capture.placement.kind, ready));
  }

  async #writeToken(pod: Pod): Promise<void> {
    if (pod.kind === 'plain') return;
    writeAtomically(this.#tokenFile(pod), await this.#parts.issuer.issue(pod));
  }

  #tokenFile(pod: Pod): string {
    return join(this.#parts.dir.tokens, `${pod.namespace}.${pod.name}`);
  }

  #writeGateway(adds: boolean): void {
    const file = join(this.#parts.dir.pods, 'ingress-gateway.yaml');
    const written = this.#gateways.filter(({ of }) => adds || of !== undefined);
    const content = gatewayObjects(written);
    if (content === this.#gatewayText) return;
    this.#gatewayText = content;
    if (written.length > 0) writeAtomically(file, content);
    else rmSync(file, { force: true });
  }

  #mesh = { trustDomain: 'cluster.local', domain: 'cluster.local' };

  #startOf: NonNullable<AgentInput['startOf']> = () => ({ concurrency: undefined, environment: {} });

  #writeAgent(snapshot: Snapshot | undefined): void {
    const { options, dir, agentDir, controlPlaneAddress, addressFromNetns } = this.#parts;
    if (snapshot !== undefined) {
      const { proxySettings = [], meshConfig } = snapshot;
      this.#startOf = ({ namespace, labels }) => proxyStart(proxySettings, meshConfig.rootNamespace, namespace, labels);
    }
    if (snapshot !== undefined)
      this.#mesh = { trustDomain: snapshot.meshConfig.trustDomain, domain: snapshot.meshConfig.clusterDomain };
    const content = agentConfig(
      {
        controlPlane: { address: controlPlaneAddress, serverName: 'gatehouse', rootCert: join(dir.ca, 'root-cert.pem') },
        addressFromNetns,
        ...this.#mesh,
        runDir: agentDir,
        envoy: options.envoy,
        certificateTtl: options.certificateTtl,
        tokenFile: (pod) => this.#tokenFile(pod),
        startOf: this.#startOf,
        secretsDirs: options.paths,
      },
      this.#pods.values(),
    );
    if (content === this.#agentText) return;
    this.#agentText = content;
    writeAtomically(dir.agentConfig, content);
  }
}
