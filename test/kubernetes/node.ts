// A node of a cluster on this machine: a bridge, and pods on it that are run from their specs in network namespaces.
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { type ApiServer, at } from './api-server.ts';
import { InjectedPod, type PodVolumes } from './injected-pod.ts';

export const CONTROL_PLANE = 'gatehouse.gatehouse-system.svc';
/** The one of all tests: without a Node no EndpointSlice has its pods. */
export const NODE = 'n1';

/** Status and body of a call by the node, which has no identity: as the kubelet calls. */
export async function asKubelet(url: string): Promise<string> {
  return fetch(url, { signal: AbortSignal.timeout(5000) }).then(
    async (response) => `${response.status} ${await response.text()}`,
    () => 'none',
  );
}

export interface NodeOptions {
  readonly api: ApiServer;
  readonly envoy: string;
  /** Of this node alone: the third number of its addresses, and part of the names of what it makes. */
  readonly number: number;
  /** What its pods keep is kept here. */
  readonly dir: string;
}

export interface PodWish {
  readonly namespace: string;
  readonly name: string;
  /** The last number of its address. */
  readonly last: number;
  /** Whether others call it as soon as it has an address, without a look at its probes. */
  readonly ready?: boolean;
  readonly volumes?: Partial<PodVolumes>;
}

export class ClusterNode {
  readonly #options: NodeOptions;
  readonly #pods: InjectedPod[] = [];

  constructor(options: NodeOptions) {
    this.#options = options;
    spawnSync('ip', ['link', 'del', this.bridge]);
    execFileSync('ip', ['link', 'add', this.bridge, 'type', 'bridge']);
    execFileSync('ip', ['addr', 'add', `${this.ip}/24`, 'dev', this.bridge]);
    execFileSync('ip', ['link', 'set', this.bridge, 'up']);
  }

  get bridge(): string {
    return `ghk${this.#options.number}`;
  }

  /** Of the node itself: the kubelet's calls come from it. */
  get ip(): string {
    return this.address(1);
  }

  address(last: number): string {
    return `10.211.${this.#options.number}.${last}`;
  }

  /** Gives a pod that is at this node its address, and starts its proxy. Told to be ready or not, it stays so until `isReady`. */
  async run({ namespace, name, last, ready = true, volumes }: PodWish): Promise<InjectedPod> {
    const { api, envoy, dir } = this.#options;
    const ip = this.address(last);
    const { body } = await api.request('GET', `/api/v1/namespaces/${namespace}/pods/${name}`);
    await this.#status(namespace, name, ip, ready);
    const rootCert = await eventually('the namespace has the roots', async () => {
      const found = await api.request('GET', `/api/v1/namespaces/${namespace}/configmaps/istio-ca-root-cert`);
      const text = at(found.body, 'data', 'root-cert.pem');
      return typeof text === 'string' ? text : undefined;
    });
    const account = at(body, 'spec', 'serviceAccountName');
    const token = await api.token(namespace, typeof account === 'string' ? account : 'default', {
      audiences: ['istio-ca'],
      pod: name,
    });
    const network = { name: `${this.bridge}-${last}`, ip, bridge: this.bridge, gateway: this.ip };
    const pod = new InjectedPod(body, network, join(dir, `${namespace}.${name}`), {
      token,
      rootCert,
      envoy,
      hosts: [`${this.ip} ${CONTROL_PLANE}`],
      ...volumes,
    });
    this.#pods.push(pod);
    pod.start();
    return pod;
  }

  /** The proxy's own probe, as the kubelet asks it. */
  async proxyAnswers(last: number, deadlineMs = 90_000): Promise<void> {
    const url = `http://${this.address(last)}:15021/healthz/ready`;
    await eventually(
      `the proxy at ${this.address(last)} is ready`,
      async () => ((await asKubelet(url)).startsWith('200') ? true : undefined),
      deadlineMs,
    );
  }

  /** Says that a pod's probes succeed. */
  async isReady({ namespace, name, last }: Pick<PodWish, 'namespace' | 'name' | 'last'>): Promise<void> {
    await this.#status(namespace, name, this.address(last), true);
  }

  remove(): void {
    for (const pod of this.#pods) pod.stop();
    spawnSync('ip', ['link', 'del', this.bridge]);
  }

  async #status(namespace: string, name: string, ip: string, ready: boolean): Promise<void> {
    const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False' }];
    await this.#options.api.request('PATCH', `/api/v1/namespaces/${namespace}/pods/${name}/status`, {
      status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions },
    });
  }
}
