// A cluster's mesh on this machine: pods made by kubectl, injected by the webhook of a running `serve --kubernetes`, and run from their specs in network
// namespaces. In namespace shop, web may call users at /ok and nothing else, by mutual TLS alone.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { injector } from '../../kubernetes/install/webhooks.ts';
import { DEFAULTS } from '../../kubernetes/install/options.ts';
import { RunningServe } from '../cli/running-serve.ts';
import { eventually } from '../eventually.ts';
import type { ApiServer } from './api-server.ts';
import { looseDefinition } from './definition.ts';
import type { InjectedPod, PodVolumes } from './injected-pod.ts';
import { ClusterNode, CONTROL_PLANE, NODE } from './node.ts';
import { webhooksHere } from './webhooks-here.ts';

export interface InjectedMeshOptions {
  readonly api: ApiServer;
  readonly envoy: string;
  /** Of this mesh alone: the third number of its addresses, and part of the names of what it makes. */
  readonly number: number;
  readonly flags?: (dir: string) => readonly string[];
  /** Of each pod. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** What a pod has otherwise. */
  readonly volumes?: (name: string, dir: string) => Partial<PodVolumes>;
}

export class InjectedMesh {
  readonly #options: InjectedMeshOptions;
  readonly #pods = new Map<string, InjectedPod>();
  readonly #dir = mkdtempSync(join(tmpdir(), 'gatehouse-injected-'));
  #node: ClusterNode | undefined;
  #serve: RunningServe | undefined;

  private constructor(options: InjectedMeshOptions) {
    this.#options = options;
  }

  /** Ready to be asked, though its proxies may not be yet. Whatever fails, `stop` has been called then. */
  static async start(options: InjectedMeshOptions): Promise<InjectedMesh> {
    const mesh = new InjectedMesh(options);
    try {
      await mesh.#start();
      return mesh;
    } catch (error) {
      await mesh.stop();
      throw error;
    }
  }

  get serviceIp(): string {
    return `10.96.${this.#options.number}.${this.#options.number}`;
  }

  /** What the control plane has said. */
  get errors(): string {
    return this.#serve?.errors ?? '';
  }

  pod(name: string): InjectedPod {
    return this.#pods.get(name) ?? assert.fail(`no pod ${name}`);
  }

  ip(name: 'users' | 'web'): string {
    return this.#node?.address(LAST[name]) ?? assert.fail('no node');
  }

  async stop(): Promise<void> {
    this.#node?.remove();
    await this.#serve?.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    const { api, envoy, number, flags } = this.#options;
    execFileSync('chmod', ['755', this.#dir]);
    const node = (this.#node = new ClusterNode({ api, envoy, number, dir: this.#dir }));
    await api.apply(
      // Without it no EndpointSlice has its pods.
      { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'gatehouse-system' } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'istio-system' } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { 'istio-injection': 'enabled' } } },
      looseDefinition('security.istio.io', 'AuthorizationPolicy', { plural: 'authorizationpolicies' }),
      looseDefinition('security.istio.io', 'PeerAuthentication'),
    );
    const serve = (this.#serve = new RunningServe(
      ['--kubernetes', '--kubeconfig', api.kubeconfig, '--system-namespace', 'gatehouse-system'],
      this.#dir,
      ...['--webhook-address', '127.0.0.1:0', '--advertise', CONTROL_PLANE, '--grpc-address', `${node.ip}:15012`],
      ...(flags?.(this.#dir) ?? []),
    ));
    const { rootCert } = await serve.ready();
    await api.apply(webhooksHere(injector(DEFAULTS), await serve.webhookPort(), rootCert));
    await api.apply(
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'web', namespace: 'shop' } },
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'users', namespace: 'shop' } },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'users', namespace: 'shop' },
        spec: { clusterIP: this.serviceIp, selector: { app: 'users' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
      },
      {
        apiVersion: 'security.istio.io/v1',
        kind: 'PeerAuthentication',
        metadata: { name: 'strict', namespace: 'shop' },
        spec: { mtls: { mode: 'STRICT' } },
      },
      {
        apiVersion: 'security.istio.io/v1',
        kind: 'AuthorizationPolicy',
        metadata: { name: 'users', namespace: 'shop' },
        spec: {
          selector: { matchLabels: { app: 'users' } },
          rules: [
            {
              from: [{ source: { principals: ['cluster.local/ns/shop/sa/web'] } }],
              to: [{ operation: { paths: ['/ok'] } }],
            },
          ],
        },
      },
    );
    await this.#podOf(node, 'users');
    await this.#podOf(node, 'web');
    this.pod('users').application(
      "require('node:http').createServer((q, s) => s.end('users: ' + q.url + ' for ' + (q.headers['x-forwarded-client-cert'] ? 'a certificate' : q.socket.remoteAddress))).listen(8080)",
    );
  }

  /** Makes a pod by kubectl, and is its kubelet. */
  async #podOf(node: ClusterNode, name: 'users' | 'web'): Promise<void> {
    const { api, annotations, volumes } = this.#options;
    await eventually('the ServiceAccount can have pods', async () => {
      const { code } = await api.kubectl(['apply', '-f', '-'], {
        input: JSON.stringify({
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: `${name}-1`, namespace: 'shop', labels: { app: name }, annotations: annotations ?? {} },
          spec: {
            serviceAccountName: name,
            nodeName: NODE,
            containers: [
              {
                name: 'app',
                image: 'app',
                ports: [{ containerPort: 8080 }],
                readinessProbe: { httpGet: { path: '/ready', port: 8080 } },
              },
            ],
          },
        }),
      });
      return code === 0 ? true : undefined;
    });
    const pod = await node.run({
      namespace: 'shop',
      name: `${name}-1`,
      last: LAST[name],
      ...(volumes === undefined ? {} : { volumes: volumes(name, this.#dir) }),
    });
    this.#pods.set(name, pod);
  }
}

const LAST = Object.freeze({ users: 2, web: 3 });
