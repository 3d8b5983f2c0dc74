// A cluster's mesh on this machine: pods made by kubectl, injected by the webhook of a running `serve --kubernetes`, and run from their specs in network
// namespaces. In namespace shop, web may call users at /ok and nothing else, by mutual TLS alone.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { injector } from '../../kubernetes/install/webhooks.ts';
import { DEFAULTS } from '../../kubernetes/install/options.ts';
import { RunningServe } from '../cli/running-serve.ts';
import { eventually } from '../eventually.ts';
import { type ApiServer, at } from './api-server.ts';
import { looseDefinition } from './definition.ts';
import { InjectedPod, type PodVolumes } from './injected-pod.ts';

export const CONTROL_PLANE = 'gatehouse.gatehouse-system.svc';

/** Status and body of a call by the node, which has no identity: as the kubelet calls. */
export async function kubelet(url: string): Promise<string> {
  return fetch(url, { signal: AbortSignal.timeout(5000) }).then(
    async (response) => `${response.status} ${await response.text()}`,
    () => 'none',
  );
}

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
    return this.#address(name === 'users' ? 2 : 3);
  }

  async stop(): Promise<void> {
    for (const pod of this.#pods.values()) pod.stop();
    await this.#serve?.stop();
    spawnSync('ip', ['link', 'del', this.#bridge]);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  get #bridge(): string {
    return `ghk${this.#options.number}`;
  }

  #address(last: number): string {
    return `10.211.${this.#options.number}.${last}`;
  }

  async #start(): Promise<void> {
    const { api, flags } = this.#options;
    const host = this.#address(1);
    execFileSync('chmod', ['755', this.#dir]);
    spawnSync('ip', ['link', 'del', this.#bridge]);
    execFileSync('ip', ['link', 'add', this.#bridge, 'type', 'bridge']);
    execFileSync('ip', ['addr', 'add', `${host}/24`, 'dev', this.#bridge]);
    execFileSync('ip', ['link', 'set', this.#bridge, 'up']);
    await api.apply(
      // Without it no EndpointSlice has its pods.
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'gatehouse-system' } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'istio-system' } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { 'istio-injection': 'enabled' } } },
      looseDefinition('security.istio.io', 'AuthorizationPolicy', { plural: 'authorizationpolicies' }),
      looseDefinition('security.istio.io', 'PeerAuthentication'),
    );
    const serve = (this.#serve = new RunningServe(
      ['--kubernetes', '--kubeconfig', api.kubeconfig, '--system-namespace', 'gatehouse-system'],
      this.#dir,
      ...['--webhook-address', '127.0.0.1:0', '--advertise', CONTROL_PLANE, '--grpc-address', `${host}:15012`],
      ...(flags?.(this.#dir) ?? []),
    ));
    const { webhooks, rootCert } = (await serve.ready()) as { readonly webhooks?: string; readonly rootCert: string };
    assert.ok(webhooks, 'the webhooks are not served');
    const text = JSON.stringify(injector(DEFAULTS)).replaceAll(
      /"service":\{[^}]*"path":"([^"]*)"[^}]*\}/g,
      `"caBundle":"${readFileSync(rootCert).toString('base64')}","url":"https://localhost:${webhooks.split(':')[1]}$1"`,
    );
    await api.apply(JSON.parse(text) as object);
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
    await this.#podOf('users');
    await this.#podOf('web');
    this.pod('users').application(
      "require('node:http').createServer((q, s) => s.end('users: ' + q.url + ' for ' + (q.headers['x-forwarded-client-cert'] ? 'a certificate' : q.socket.remoteAddress))).listen(8080)",
    );
  }

  /** Makes a pod by kubectl, and is its kubelet. */
  async #podOf(name: 'users' | 'web'): Promise<void> {
    const { api, envoy } = this.#options;
    const ip = this.ip(name);
    const host = this.#address(1);
    await eventually('the ServiceAccount can have pods', async () => {
      const { code } = await api.kubectl(['apply', '-f', '-'], {
        input: JSON.stringify({
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: `${name}-1`, namespace: 'shop', labels: { app: name }, annotations: this.#options.annotations ?? {} },
          spec: {
            serviceAccountName: name,
            nodeName: 'n1',
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
    const { body } = await api.request('GET', `/api/v1/namespaces/shop/pods/${name}-1`);
    await api.request('PATCH', `/api/v1/namespaces/shop/pods/${name}-1/status`, {
      status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] },
    });
    const roots = await eventually('the namespace has the roots', async () => {
      const found = await api.request('GET', '/api/v1/namespaces/shop/configmaps/istio-ca-root-cert');
      const text = at(found.body, 'data', 'root-cert.pem');
      return typeof text === 'string' ? text : undefined;
    });
    const token = await api.token('shop', name, { audiences: ['istio-ca'], pod: `${name}-1` });
    const network = { name: `${this.#bridge}-${name}`, ip, bridge: this.#bridge, gateway: host };
    const pod = new InjectedPod(body, network, join(this.#dir, name), {
      token,
      rootCert: roots,
      hosts: [`${host} ${CONTROL_PLANE}`],
      envoy,
      ...this.#options.volumes?.(name, this.#dir),
    });
    this.#pods.set(name, pod);
    pod.start();
  }
}
