// Samples in a cluster on this machine, as their users put them there: applied by kubectl, their Deployments' pods injected by the webhook of a
// running `serve --kubernetes` and run from their specs in network namespaces, an ingress gateway in front of them.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applicationEnv } from '../../cli/up/application-env.ts';
import { type ImageTable, lookUp, parseImageTable } from '../../cli/up/images.ts';
import { gatewayObjects } from '../../kubernetes/install/gateway.ts';
import { DEFAULTS } from '../../kubernetes/install/options.ts';
import { injector, validator } from '../../kubernetes/install/webhooks.ts';
import { parsePort } from '../../mesh/model/port.ts';
import { RunningServe } from '../cli/running-serve.ts';
import { eventually } from '../eventually.ts';
import { replyTo } from '../feature/rollout/folder.ts';
import type { Asked, MeshUnderRollout } from '../feature/rollout/place.ts';
import {
  get,
  type Outcome,
  type Reply,
  type ReportedEdge,
  root,
  runGatehouse,
  samples,
  type SyncStatus,
} from '../feature/running-mesh.ts';
import { type ApiServer, at } from './api-server.ts';
import { looseDefinition } from './definition.ts';
import type { InjectedPod } from './injected-pod.ts';
import { ClusterNode, CONTROL_PLANE, NODE } from './node.ts';

const INGRESS = Object.freeze({ namespace: 'istio-system', name: 'istio-ingressgateway' });

/** A pod that runs. */
interface SamplePod {
  readonly namespace: string;
  readonly name: string;
  readonly account: string;
  readonly last: number;
  readonly run: InjectedPod;
  /** Where its application does what a test tells it; undefined until the first time. */
  hand: string | undefined;
}

/** Sends what it is asked to send, as the application of its pod: a path is sent as it is written. */
const HAND = `const { createServer, request } = require('node:http');
createServer((asked, answer) => {
  const { 'x-url': url, ...headers } = asked.headers;
  const [, host, port, path] = /^http:\\/\\/([^/:]+):?(\\d*)(.*)$/.exec(url);
  const sent = request({ host, port: port || 80, path: path || '/', method: asked.method, headers, agent: false });
  sent.on('response', (response) => { answer.writeHead(response.statusCode, response.headers); response.pipe(answer); });
  sent.on('error', (error) => { answer.writeHead(599); answer.end(String(error)); });
  asked.pipe(sent);
}).listen(process.argv[1]);`;

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
    const { namespace, name, account } = this.#pod(workload);
    return this.#options.api.token(namespace, account, { audiences: ['istio-ca'], pod: name });
  }

  address(workload: string): string {
    return this.#running.address(this.#pod(workload).last);
  }

  async ask(workload: string, url: string, { method = 'GET', headers = {} }: Asked = {}): Promise<Reply> {
    const socketPath = await this.#hand(this.#pod(workload));
    const own = { host: new URL(url).host, connection: 'close', 'x-url': url };
    const reply = await replyTo({ socketPath, path: '/', method, headers: { ...headers, ...own }, timeout: 15_000 });
    if (reply.status === 599) throw new Error(`${workload} has no answer from ${url}: ${reply.body}`);
    return reply;
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
    const pods = [...this.#pods].map(([name, { run }]) => `${name}: ${run.said.slice(-300)}`);
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
    await this.#run(this.#node, await this.#scheduled());
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
    const { webhooks, ...ready } = (await this.#serve.ready()) as Awaited<ReturnType<RunningServe['ready']>> & {
      readonly webhooks?: string;
    };
    const port = webhooks?.split(':')[1] ?? assert.fail('the webhooks are not served');
    this.#ready = { grpc: `${node.ip}:15012`, rootCert: ready.rootCert, http: ready.http };
    const caBundle = readFileSync(ready.rootCert).toString('base64');
    for (const configuration of [injector(DEFAULTS), validator(DEFAULTS)]) {
      const text = JSON.stringify(configuration).replaceAll(
        /"service":\{[^}]*"path":"([^"]*)"[^}]*\}/g,
        `"caBundle":"${caBundle}","url":"https://localhost:${port}$1"`,
      );
      await api.apply(JSON.parse(text) as object);
    }
  }

  /** The pods of all Deployments, once each has its own; at the node. */
  async #scheduled(): Promise<readonly unknown[]> {
    const { api } = this.#options;
    const items = async (path: string): Promise<readonly unknown[]> =>
      (at((await api.request('GET', path)).body, 'items') ?? []) as readonly unknown[];
    const pods = await eventually(
      'each Deployment has its pods',
      async () => {
        const wanted = (await items('/apis/apps/v1/deployments')).map((one) => Number(at(one, 'spec', 'replicas')));
        const found = await items('/api/v1/pods');
        return found.length === wanted.reduce((sum, count) => sum + count, 0) ? found : undefined;
      },
      60_000,
    );
    for (const pod of pods) {
      const { name, namespace } = at(pod, 'metadata') as { readonly name: string; readonly namespace: string };
      const { status, body } = await api.request('POST', `/api/v1/namespaces/${namespace}/pods/${name}/binding`, {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name },
        target: { apiVersion: 'v1', kind: 'Node', name: NODE },
      });
      assert.equal(status, 201, JSON.stringify(body));
    }
    return pods;
  }

  /** The kubelet's part: proxies and applications, and that they are ready. */
  async #run(node: ClusterNode, pods: readonly unknown[]): Promise<void> {
    const images = parseImageTable(readFileSync(join(samples, 'images.yaml'), 'utf8'), join(samples, 'apps'));
    assert.ok(images.ok);
    for (const [index, pod] of pods.entries()) {
      const { name, namespace, labels } = at(pod, 'metadata') as {
        readonly name: string;
        readonly namespace: string;
        readonly labels: Readonly<Record<string, string>>;
      };
      const last = 10 + index;
      const hosts = [`${node.ip} ${CONTROL_PLANE}`, ...(await this.#names(namespace))];
      const run = await node.run({ namespace, name, last, ready: false, volumes: { hosts } });
      const [workload = ''] = name.split(`-${labels['pod-template-hash'] ?? ''}`);
      const account = String(at(pod, 'spec', 'serviceAccountName'));
      this.#pods.set(`${namespace}/${workload}`, { namespace, name, account, last, run, hand: undefined });
      this.#application(pod, images.value, node.address(last), run);
    }
    for (const { namespace, name, last } of this.#pods.values()) {
      await node.proxyAnswers(last);
      await node.isReady({ namespace, name, last });
    }
    await this.settled();
  }

  #application(pod: unknown, images: ImageTable, ip: string, run: InjectedPod): void {
    const { name, namespace, labels } = at(pod, 'metadata') as {
      readonly name: string;
      readonly namespace: string;
      readonly labels: Readonly<Record<string, string>>;
    };
    for (const container of (at(pod, 'spec', 'containers') ?? []) as readonly unknown[]) {
      const command = lookUp(images, String(at(container, 'image')));
      if (command === undefined) continue;
      const port = parsePort(at(container, 'ports', '0', 'containerPort'));
      assert.ok(port !== undefined);
      const serviceAccount = String(at(pod, 'spec', 'serviceAccountName'));
      const about = {
        namespace,
        name,
        serviceAccount,
        labels,
        ip,
        appAddress: ip,
        ports: [{ name: undefined, port }],
      };
      const how = { proxied: false, anywhere: true, workloadApi: undefined };
      run.container({ ...command, env: applicationEnv(about, command.env, undefined, how) });
    }
  }

  /** Lines of /etc/hosts for what the cluster's DNS would answer in a namespace. */
  async #names(namespace: string): Promise<readonly string[]> {
    const { body } = await this.#options.api.request('GET', `/api/v1/namespaces/${namespace}/services`);
    return ((at(body, 'items') ?? []) as readonly unknown[]).map((service) => {
      const name = String(at(service, 'metadata', 'name'));
      return `${String(at(service, 'spec', 'clusterIP'))} ${name} ${name}.${namespace} ${name}.${namespace}.svc.cluster.local`;
    });
  }

  async #hand(pod: SamplePod): Promise<string> {
    if (pod.hand !== undefined) return pod.hand;
    const folder = join(this.#dir, 'hands');
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o777);
    const socketPath = join(folder, `${pod.last}.sock`);
    pod.run.container({ command: ['node', '-e', HAND, socketPath], cwd: '/', env: {} });
    pod.hand = socketPath;
    await eventually('the application can be told what to do', () =>
      replyTo({ socketPath, path: '/', method: 'GET', headers: { 'x-url': 'http://127.0.0.1:1/' }, timeout: 5000 }).then(
        () => true,
        () => undefined,
      ),
    );
    return socketPath;
  }
}
