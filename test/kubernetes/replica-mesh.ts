import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer, request, type Server } from 'node:http';
import { createServer as tcpServer, connect, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { MAIN, RunningServe } from '../cli/running-serve.ts';
import { eventually } from '../eventually.ts';
import type { ApiServer } from './api-server.ts';
import { RunningAgent } from './running-agent.ts';

export interface Replica {
  readonly name: string;
  readonly serve: RunningServe;
  readonly caDir: string;
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line, from its source. */
export function gatehouse(...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...MAIN, ...args], { maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, stderr }),
    );
  });
}

/** As a Service with several endpoints: each connection goes to the next replica that runs. */
class Balancer {
  readonly #server: TcpServer;
  readonly #sockets = new Set<Socket>();
  #turn = 0;

  constructor(targets: () => readonly string[]) {
    this.#server = tcpServer((inside) => {
      const all = targets();
      const target = all[this.#turn++ % Math.max(1, all.length)];
      this.#sockets.add(inside);
      inside.on('error', () => inside.destroy());
      if (target === undefined) return void inside.destroy();
      const [host = '', port = ''] = target.split(':');
      const outside = connect({ host, port: Number(port) });
      this.#sockets.add(outside);
      outside.on('error', () => inside.destroy());
      outside.on('close', () => inside.destroy());
      inside.on('close', () => {
        outside.destroy();
        this.#sockets.delete(inside);
        this.#sockets.delete(outside);
      });
      inside.pipe(outside).pipe(inside);
    });
    this.#server.on('error', () => undefined);
  }

  async address(): Promise<string> {
    if (!this.#server.listening) {
      this.#server.listen(0, '127.0.0.1');
      await once(this.#server, 'listening');
    }
    const { port } = this.#server.address() as AddressInfo;
    return `127.0.0.1:${port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

export interface Tally {
  ok: number;
  readonly failures: string[];
}

/** Replicas of a control plane on one cluster, Pods with real proxies that are connected to them, and requests from one to the other. */
export class ReplicaMesh {
  readonly replicas: Replica[] = [];
  readonly agents: RunningAgent[] = [];
  readonly #api: ApiServer;
  readonly #dir: string;
  readonly #envoy: string;
  readonly #flags: readonly string[];
  readonly #apps: Server[] = [];
  readonly #balancer: Balancer;
  readonly #preferring: Balancer[] = [];
  readonly #killed = new Set<string>();
  #ready: string[] = [];

  constructor(api: ApiServer, dir: string, envoy: string, ...flags: readonly string[]) {
    this.#api = api;
    this.#dir = dir;
    this.#envoy = envoy;
    this.#flags = flags;
    this.#balancer = new Balancer(() => this.#ready);
  }

  /**
   * Namespaces, a Service, and the Pods of it and of who calls it. Their addresses are the test's own.
   *
   * @param servers those that others call, each by a Service of its name
   */
  async objects(net: string, servers: readonly string[] = ['web']): Promise<void> {
    const api = this.#api;
    // Without it no EndpointSlice has its Pods.
    await api.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
    for (const name of ['istio-system', 'shop']) await api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    await eventually('the namespace has its ServiceAccount', async () =>
      (await api.request('GET', '/api/v1/namespaces/shop/serviceaccounts/default')).status === 200 ? true : undefined,
    );
    for (const name of ['web', 'client', 'other']) {
      await api.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'shop' } });
      const ip = addressOf(net, name);
      await api.apply({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: `${name}-1`,
          namespace: 'shop',
          labels: { app: name, 'security.istio.io/tlsMode': 'istio' },
          annotations: {
            'gatehouse.dev/capture': 'explicit',
            'gatehouse.dev/app-address': applicationOf(net, name),
            'gatehouse.dev/bind-address': ip,
          },
        },
        spec: { serviceAccountName: name, nodeName: 'n1', containers: [{ name, image: name, ports: [{ containerPort: 8080 }] }] },
      });
      await api.request('PATCH', `/api/v1/namespaces/shop/pods/${name}-1/status`, {
        status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] },
      });
    }
    await api.apply(
      ...servers.map((name) => ({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'shop' },
        spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
      })),
      {
        apiVersion: 'security.istio.io/v1',
        kind: 'PeerAuthentication',
        metadata: { name: 'default', namespace: 'shop' },
        spec: { mtls: { mode: 'STRICT' } },
      },
    );
    if (this.#apps.length > 0) return;
    for (const name of servers) {
      const app = createServer((_, response) => response.end('hello'));
      app.on('error', (error) => assert.fail(error));
      app.listen(8080, applicationOf(net, name));
      await once(app, 'listening');
      this.#apps.push(app);
    }
  }

  start(name: string, ...flags: readonly string[]): Replica {
    const folder = join(this.#dir, name);
    const serve = new RunningServe(['--kubernetes', '--kubeconfig', this.#api.kubeconfig], folder, ...this.#flags, ...flags);
    const replica = { name, serve, caDir: join(folder, 'ca') };
    this.replicas.push(replica);
    return replica;
  }

  /** Takes connections of proxies through `throughAll` once it is ready. */
  async join({ serve }: Replica): Promise<void> {
    const { grpc } = await serve.ready();
    this.#ready.push(grpc ?? assert.fail());
  }

  /** Where a connection is led to some replica. */
  address(): Promise<string> {
    return this.#balancer.address();
  }

  /** As when its machine is gone. */
  async kill(replica: Replica): Promise<void> {
    const { grpc } = await replica.serve.ready();
    this.#ready = this.#ready.filter((one) => one !== grpc);
    if (grpc !== null) this.#killed.add(grpc);
    this.replicas.splice(this.replicas.indexOf(replica), 1);
    await replica.serve.kill();
  }

  /** @param replica the one it is connected to while that runs; without it whichever a connection is led to */
  async proxy(net: string, name: string, replica?: Replica): Promise<RunningAgent> {
    const { grpc, rootCert } = await (replica ?? this.replicas[0] ?? assert.fail()).serve.ready();
    const preferring = new Balancer(() => (grpc === null || this.#killed.has(grpc) ? this.#ready : [grpc]));
    if (replica !== undefined) this.#preferring.push(preferring);
    const token = await this.#api.token('shop', name, { audiences: ['istio-ca'], pod: `${name}-1` });
    const agent = new RunningAgent({
      folder: join(this.#dir, `agent-${name}`),
      envoy: this.#envoy,
      grpc: await (replica === undefined ? this.#balancer : preferring).address(),
      rootCert,
      namespace: 'shop',
      serviceAccount: name,
      pod: `${name}-1`,
      ip: addressOf(net, name),
      token,
    });
    this.agents.push(agent);
    await agent.admin('/ready');
    return agent;
  }

  /** One request to a service, through both proxies. Undefined: it was answered. */
  async call(net: string, from = 'client', to = 'web'): Promise<string | undefined> {
    return outcome({ host: applicationOf(net, from), port: 15001, path: `http://${to}/`, authority: to });
  }

  /** One request to the workload of the service, beside all proxies but its own. Undefined: it was answered. */
  async callInPlainText(net: string): Promise<string | undefined> {
    return outcome({ host: addressOf(net, 'web'), port: 8080, path: '/', authority: 'web' });
  }

  async answered(net: string): Promise<void> {
    let last: string | undefined;
    const answered = async () => ((last = await this.call(net)) === undefined ? true : undefined);
    await eventually('requests are answered', answered, 60_000).catch(async (error: unknown) => {
      const clusters = await this.agents[1]?.admin('/clusters');
      const listeners = (await this.#api.kubectl(['get', 'endpointslices,pods,svc', '-n', 'shop', '-o', 'wide'])).stdout;
      assert.fail(
        `${String(error)}: ${last}\n${clusters?.match(/outbound.*::(127|rq).*/g)?.join('\n')}\n${listeners}\n${this.replicas[0]?.serve.errors.slice(-3000)}`,
      );
    });
  }

  /** Requests one after another while `task` runs. @param edges who calls whom, in turns */
  async underTraffic(
    net: string,
    task: () => Promise<void>,
    edges: readonly (readonly [string, string])[] = [['client', 'web']],
  ): Promise<Tally> {
    const tally: Tally = { ok: 0, failures: [] };
    const state = { over: false };
    const sending = (async () => {
      while (!state.over)
        for (const [from, to] of edges) {
          const failure = await this.call(net, from, to);
          if (failure === undefined) tally.ok++;
          else tally.failures.push(`${new Date().toISOString()} ${from} to ${to}: ${failure}`);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
    })();
    try {
      await task();
    } finally {
      state.over = true;
      await sending;
    }
    return tally;
  }

  async stop(): Promise<void> {
    for (const agent of this.agents) await agent.stop();
    for (const { serve } of this.replicas) await serve.stop();
    for (const balancer of [this.#balancer, ...this.#preferring]) balancer.close();
    for (const app of this.#apps) app.close();
  }
}

const LAST: Readonly<Record<string, number>> = { web: 1, client: 2, other: 3 };

/** @param net the first three numbers of an address of the test's own */
function addressOf(net: string, name: string): string {
  return `${net}.${LAST[name] ?? 9}`;
}

function applicationOf(net: string, name: string): string {
  return `${net}.${100 + (LAST[name] ?? 9)}`;
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly authority: string;
}

function outcome({ authority, ...to }: Target): Promise<string | undefined> {
  return new Promise((resolve) => {
    const sent = request({ ...to, headers: { host: authority }, timeout: 10_000 });
    sent.on('response', (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('error', (error) => resolve(String(error)));
      response.on('end', () => resolve(response.statusCode === 200 ? undefined : `${response.statusCode} ${text.slice(0, 200)}`));
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer within 10 s')));
    sent.on('error', (error) => resolve(String(error)));
    sent.end();
  });
}
