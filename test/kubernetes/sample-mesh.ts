// Samples in a cluster on this machine, as their users put them there: applied by kubectl, their Deployments' pods injected by the webhook of a
// running `serve --kubernetes` and run from their specs in network namespaces, an ingress gateway in front of them.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gatewayObjects } from '../../kubernetes/install/gateway.ts';
import { DEFAULTS } from '../../kubernetes/install/options.ts';
import { injector, validator } from '../../kubernetes/install/webhooks.ts';
import { RunningServe } from '../cli/running-serve.ts';
import { eventually } from '../eventually.ts';
import type { Asked, MeshUnderRollout } from '../feature/rollout/mesh-under-rollout.ts';
import {
  get,
  type Outcome,
  type Reply,
  type ReportedEdge,
  root,
  runGatehouse,
  type SyncStatus,
} from '../feature/running-mesh.ts';
import type { ApiServer } from './api-server.ts';
import { looseDefinition } from './definition.ts';
import { ClusterNode, CONTROL_PLANE, NODE } from './node.ts';
import { SamplePod, scheduledPods } from './sample-pods.ts';
import { webhooksHere } from './webhooks-here.ts';

const INGRESS = Object.freeze({ namespace: 'istio-system', name: 'istio-ingressgateway' });

export interface SampleMeshOptions {
  readonly api: ApiServer;
  readonly envoy: string;
  /** Of this mesh alone: the third number of its addresses. */
  readonly number: number;
  /** Files, applied in their order as they stand. */
  readonly sources: readonly string[];
}

export class SampleMesh implements MeshUnderRollout {
  readonly #options: SampleMeshOptions;
  readonly #dir = mkdtempSync(join(tmpdir(), 'gatehouse-samples-'));
  /** By `NAMESPACE/WORKLOAD`. */
  readonly #pods = new Map<string, SamplePod>();
  readonly #put = new Map<string, string>();
  #node: ClusterNode | undefined;
  #serve: RunningServe | undefined;
  #ready: MeshUnderRollout['authority'] & { readonly http: string } = { grpc: '', rootCert: '', http: '' };
  #marks = 0;

  private constructor(options: SampleMeshOptions) {
    this.#options = options;
  }

  /** Every pod is ready. Whatever fails, `stop` has been called then. */
  static async start(options: SampleMeshOptions): Promise<SampleMesh> {
    const mesh = new SampleMesh(options);
    try {
      await mesh.#start();
      return mesh;
    } catch (error) {
      const said = mesh.log();
      await mesh.stop();
      throw new Error(said, { cause: error });
    }
  }

  get gateway(): string {
    return `${this.address(`${INGRESS.namespace}/${INGRESS.name}`)}:80`;
  }

  get authority(): MeshUnderRollout['authority'] {
    return this.#ready;
  }

  get plainTextFrom(): string {
    return this.#running.ip;
  }

  get auditFile(): string {
    return join(this.#dir, 'audit.db');
  }

  token(workload: string): Promise<string> {
    const { namespace, name, account } = this.#pod(workload).object;
    return this.#options.api.token(namespace, account, { audiences: ['istio-ca'], pod: name });
  }

  address(workload: string): string {
    return this.#running.address(this.#pod(workload).last);
  }

  ask(workload: string, url: string, asked: Asked = {}): Promise<Reply> {
    return this.#pod(workload).ask(url, asked);
  }

  async put(name: string, text: string): Promise<void> {
    this.#put.set(name, text);
    await this.#options.api.apply(text);
  }

  async remove(name: string): Promise<void> {
    const input = this.#put.get(name) ?? assert.fail(`${name} was not put there`);
    const { code, stderr } = await this.#options.api.kubectl(['delete', '-f', '-'], { input });
    assert.equal(code, 0, stderr);
  }

  /** A namespace of no consequence marks the moment. */
  async settled(): Promise<void> {
    const mark = `settled-${String(this.#marks++)}`;
    await this.#options.api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: mark } });
    await eventually('every proxy has what is there', async () => {
      const { status, body } = await get(this.#ready.http, '/debug/syncz');
      if (status !== 200) return undefined;
      const { namespaces, proxies, snapshot }: SyncStatus = JSON.parse(body);
      const all = proxies.length >= this.#pods.size && proxies.every(({ acknowledged }) => acknowledged >= snapshot);
      return all && namespaces.includes(mark) ? true : undefined;
    }).catch((error: Error) => assert.fail(`${error.message}\n${this.log()}`));
  }

  rollout(command: string, namespace: string, ...flags: readonly string[]): Promise<Outcome> {
    return runGatehouse('rollout', command, namespace, '--kubeconfig', this.#options.api.kubeconfig, ...flags);
  }

  async policies(namespace: string): Promise<string> {
    return (await this.#options.api.kubectl(['get', 'authorizationpolicies', '-n', namespace])).stdout;
  }

  async edges(): Promise<readonly ReportedEdge[]> {
    const { code, stdout, stderr } = await runGatehouse('audit', 'report', '--db', this.auditFile, '-o', 'json');
    assert.equal(code, 0, stderr);
    const report: { edges: readonly ReportedEdge[] } = JSON.parse(stdout);
    return report.edges;
  }

  log(): string {
    const pods = [...this.#pods].map(([name, { said }]) => `${name}: ${said.slice(-300)}`);
    return [...pods, this.#serve?.errors.slice(-4000) ?? ''].join('\n');
  }

  async stop(): Promise<void> {
    this.#node?.remove();
    await this.#serve?.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  get #running(): ClusterNode {
    return this.#node ?? assert.fail('the mesh was not started');
  }

  #pod(workload: string): SamplePod {
    return this.#pods.get(workload) ?? assert.fail(`no pod of ${workload} among ${[...this.#pods.keys()].join(', ')}`);
  }

  async #start(): Promise<void> {
    const { api, envoy, number, sources } = this.#options;
    chmodSync(this.#dir, 0o755);
    this.#node = new ClusterNode({ api, envoy, number, dir: this.#dir });
    await api.apply(
      { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } },
      ...['gatehouse-system', INGRESS.namespace].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
      looseDefinition('security.istio.io', 'AuthorizationPolicy', { plural: 'authorizationpolicies' }),
      looseDefinition('security.istio.io', 'PeerAuthentication'),
      looseDefinition('networking.istio.io', 'Gateway'),
      looseDefinition('networking.istio.io', 'VirtualService'),
      looseDefinition('networking.istio.io', 'DestinationRule'),
      readFileSync(join(root, 'manifests', 'crds', 'namespacerollouts.yaml'), 'utf8'),
    );
    await this.#control(this.#node);
    // Objects of custom kinds cannot be taken before their definitions are served.
    for (const object of gatewayObjects(DEFAULTS, INGRESS)) await this.#applied(object);
    for (const file of sources) await this.#applied(readFileSync(file, 'utf8'));
    const pods = await scheduledPods(api);
    for (const [index, object] of pods.entries()) {
      const pod = await SamplePod.start(api, this.#node, object, 10 + index, this.#dir);
      this.#pods.set(pod.workload, pod);
    }
    for (const { last, object } of this.#pods.values()) {
      await this.#node.proxyAnswers(last);
      await this.#node.isReady({ ...object, last });
    }
    await this.settled();
  }

  async #applied(object: object | string): Promise<void> {
    let said = '';
    await eventually('the objects are taken', () =>
      this.#options.api.apply(object).then(
        () => true,
        (error: Error) => {
          said = error.message;
          return undefined;
        },
      ),
    ).catch((error: Error) => assert.fail(`${error.message}: ${said}`));
  }

  /** The control plane, and its webhooks. */
  async #control(node: ClusterNode): Promise<void> {
    const { api } = this.#options;
    this.#serve = new RunningServe(
      ['--kubernetes', '--kubeconfig', api.kubeconfig, '--system-namespace', 'gatehouse-system'],
      this.#dir,
      ...['--webhook-address', '127.0.0.1:0', '--advertise', CONTROL_PLANE, '--grpc-address', `${node.ip}:15012`],
    );
    const { rootCert, http } = await this.#serve.ready();
    const port = await this.#serve.webhookPort();
    this.#ready = { grpc: `${node.ip}:15012`, rootCert, http };
    for (const configuration of [injector(DEFAULTS), validator(DEFAULTS)])
      await api.apply(webhooksHere(configuration, port, rootCert));
  }
}
