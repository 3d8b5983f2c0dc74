// The pods of a cluster's Deployments on this machine: what scheduler and kubelet do for them, and applications that a test tells what to do.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { applicationEnv } from '../../cli/up/application-env.ts';
import { lookUp, parseImageTable } from '../../cli/up/images.ts';
import { parsePort } from '../../mesh/model/port.ts';
import { eventually } from '../eventually.ts';
import { replyTo } from '../feature/rollout/folder-mesh.ts';
import type { Asked } from '../feature/rollout/mesh-under-rollout.ts';
import { type Reply, samples } from '../feature/running-mesh.ts';
import { type ApiServer, at } from './api-server.ts';
import type { InjectedPod } from './injected-pod.ts';
import { type ClusterNode, CONTROL_PLANE, NODE } from './node.ts';

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

/** A pod as the API server has it. */
interface PodObject {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly account: string;
  readonly whole: unknown;
}

function podObject(whole: unknown): PodObject {
  const { name, namespace, labels } = at(whole, 'metadata') as Pick<PodObject, 'name' | 'namespace' | 'labels'>;
  return { namespace, name, labels, account: String(at(whole, 'spec', 'serviceAccountName')), whole };
}

async function items(api: ApiServer, path: string): Promise<readonly unknown[]> {
  return (at((await api.request('GET', path)).body, 'items') ?? []) as readonly unknown[];
}

/** The pods of all Deployments, once each has its own; at the node. */
export async function scheduledPods(api: ApiServer): Promise<readonly PodObject[]> {
  const pods = await eventually(
    'each Deployment has its pods',
    async () => {
      const wanted = (await items(api, '/apis/apps/v1/deployments')).map((one) => Number(at(one, 'spec', 'replicas')));
      const found = await items(api, '/api/v1/pods');
      return found.length === wanted.reduce((sum, count) => sum + count, 0) ? found.map(podObject) : undefined;
    },
    60_000,
  );
  for (const { name, namespace } of pods) {
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

/** A pod of a sample that runs. */
export class SamplePod {
  readonly object: PodObject;
  readonly last: number;
  readonly #run: InjectedPod;
  readonly #hands: string;
  #hand: Promise<string> | undefined;

  private constructor(object: PodObject, last: number, run: InjectedPod, hands: string) {
    this.object = object;
    this.last = last;
    this.#run = run;
    this.#hands = hands;
  }

  /** Starts the proxy and the applications of a pod that is at the node. @param dir what it keeps is kept there */
  static async start(api: ApiServer, node: ClusterNode, object: PodObject, last: number, dir: string): Promise<SamplePod> {
    const { namespace, name } = object;
    const hosts = [`${node.ip} ${CONTROL_PLANE}`, ...(await namesIn(api, namespace))];
    const run = await node.run({ namespace, name, last, ready: false, volumes: { hosts } });
    startApplications(object, node.address(last), run);
    const hands = join(dir, 'hands');
    mkdirSync(hands, { recursive: true });
    chmodSync(hands, 0o777);
    return new SamplePod(object, last, run, hands);
  }

  /** `NAMESPACE/NAME` of its Deployment. */
  get workload(): string {
    const { namespace, name, labels } = this.object;
    return `${namespace}/${name.split(`-${labels['pod-template-hash'] ?? ''}`)[0] ?? ''}`;
  }

  get said(): string {
    return this.#run.said;
  }

  /** One request of its application. Rejects when there is no answer. */
  async ask(url: string, { method = 'GET', headers = {} }: Asked): Promise<Reply> {
    const socketPath = await (this.#hand ??= this.#startHand());
    const own = { host: new URL(url).host, connection: 'close', 'x-url': url };
    const reply = await replyTo({ socketPath, path: '/', method, headers: { ...headers, ...own }, timeout: 15_000 });
    if (reply.status === 599) throw new Error(`${this.workload} has no answer from ${url}: ${reply.body}`);
    return reply;
  }

  async #startHand(): Promise<string> {
    const socketPath = join(this.#hands, `${this.last}.sock`);
    this.#run.container({ command: ['node', '-e', HAND, socketPath], cwd: '/', env: {} });
    const nowhere = { 'x-url': 'http://127.0.0.1:1/' };
    await eventually('the application can be told what to do', () =>
      replyTo({ socketPath, path: '/', method: 'GET', headers: nowhere, timeout: 5000 }).then(
        () => true,
        () => undefined,
      ),
    );
    return socketPath;
  }
}

/** Lines of /etc/hosts for what the cluster's DNS would answer in a namespace. */
async function namesIn(api: ApiServer, namespace: string): Promise<readonly string[]> {
  return (await items(api, `/api/v1/namespaces/${namespace}/services`)).map((service) => {
    const name = String(at(service, 'metadata', 'name'));
    return `${String(at(service, 'spec', 'clusterIP'))} ${name} ${name}.${namespace} ${name}.${namespace}.svc.cluster.local`;
  });
}

/** What `gatehouse up` runs in place of images. */
function startApplications({ namespace, name, labels, account, whole }: PodObject, ip: string, run: InjectedPod): void {
  const images = parseImageTable(readFileSync(join(samples, 'images.yaml'), 'utf8'), join(samples, 'apps'));
  assert.ok(images.ok);
  for (const container of (at(whole, 'spec', 'containers') ?? []) as readonly unknown[]) {
    const command = lookUp(images.value, String(at(container, 'image')));
    if (command === undefined) continue;
    const port = parsePort(at(container, 'ports', '0', 'containerPort'));
    assert.ok(port !== undefined);
    const ports = [{ name: undefined, port }];
    const about = { namespace, name, serviceAccount: account, labels, ip, appAddress: ip, ports };
    const how = { proxied: false, anywhere: true, workloadApi: undefined };
    run.container({ ...command, env: applicationEnv(about, command.env, undefined, how) });
  }
}
