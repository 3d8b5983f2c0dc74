// Real Envoys as ADS clients: the time until a change is in force in each of them, and what it costs them.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PlannedProxy } from '../mesh/plan.ts';
import { now } from '../xds/proxy.ts';
import type { Figures } from './figures.ts';
import { cpuSeconds, rssMb } from './process.ts';

const HTTP2 = {
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    explicit_http_config: { http2_protocol_options: {} },
  },
};

function cluster(name: string, address: object): object {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    typed_extension_protocol_options: HTTP2,
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
}

function bootstrap({ name, namespace, pod, ip }: PlannedProxy, address: string, folder: string): object {
  const at = address.lastIndexOf(':');
  const ads = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
  return {
    node: { id: `sidecar~${ip}~${pod}.${namespace}~${namespace}.svc.cluster.local`, cluster: `${name}.${namespace}` },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      clusters: [
        cluster('xds', { socket_address: { address: address.slice(0, at), port_value: Number(address.slice(at + 1)) } }),
        // No agent is there: what needs a certificate of its own goes on without one when Envoy has waited for it.
        cluster('sds-grpc', { pipe: { path: join(folder, 'none.sock') } }),
        cluster('access-log', { pipe: { path: join(folder, 'none.sock') } }),
      ],
    },
  };
}

interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly adminFile: string;
}

export class Envoys {
  readonly #running: readonly Running[];

  private constructor(running: readonly Running[]) {
    this.#running = running;
  }

  static start(path: string, proxies: readonly PlannedProxy[], address: string, dir: string): Envoys {
    const running = proxies.map((proxy): Running => {
      const folder = join(dir, proxy.pod);
      mkdirSync(folder, { recursive: true });
      const [file, adminFile] = [join(folder, 'envoy.json'), join(folder, 'admin.txt')];
      writeFileSync(file, JSON.stringify(bootstrap(proxy, address, folder)));
      const flags = ['--concurrency', '1', '--use-dynamic-base-id', '-l', 'error', '--admin-address-path', adminFile];
      const child = spawn(path, ['-c', file, ...flags], { stdio: 'ignore' });
      return { child, pid: child.pid ?? 0, adminFile };
    });
    process.once('exit', () => {
      for (const { child } of running) child.kill('SIGKILL');
    });
    return new Envoys(running);
  }

  async #admin({ adminFile }: Running, path: string): Promise<string> {
    if (!existsSync(adminFile)) return '';
    try {
      return await (await fetch(`http://${readFileSync(adminFile, 'utf8')}${path}`)).text();
    } catch {
      return '';
    }
  }

  #cpu(): number {
    return this.#running.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
  }

  /** Updates that an Envoy has taken, of its routes and virtual hosts or of its endpoints. */
  async #updates(one: Running, filter: string): Promise<number> {
    const text = await this.#admin(one, `/stats?filter=${encodeURIComponent(filter)}`);
    return [...text.matchAll(/: (\d+)$/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
  }

  async #each(timeoutMs: number, done: (one: Running) => Promise<boolean>): Promise<number> {
    const end = now() + timeoutMs;
    let waiting = [...this.#running];
    while (waiting.length > 0 && now() < end) {
      const states = await Promise.all(waiting.map(done));
      waiting = waiting.filter((_, index) => states[index] !== true);
      if (waiting.length > 0) await sleep(50);
    }
    return waiting.length;
  }

  /** Until each has virtual hosts from the server: those come last. */
  async configured(timeoutMs: number): Promise<Figures> {
    const began = now();
    const missing = await this.#each(timeoutMs, async (one) => (await this.#updates(one, 'vhds.*update_success')) > 0);
    const wallSeconds = (now() - began) / 1000;
    await this.#calm();
    return {
      wallSeconds,
      cpuSeconds: this.#cpu(),
      memoryMb: this.#running.reduce((sum, { pid }) => sum + rssMb(pid), 0) / this.#running.length,
      note: `CPU of all Envoys, RSS of one${missing > 0 ? `; ${String(missing)} without virtual hosts` : ''}`,
    };
  }

  async #calm(): Promise<void> {
    for (let before = -1, round = 0; round < 60; round++) {
      const used = this.#cpu();
      if (used - before < 0.01 * this.#running.length) return;
      before = used;
      await sleep(500);
    }
  }

  async change(write: () => void, filter: string, server: number, timeoutMs: number): Promise<Figures> {
    const before = new Map(await Promise.all(this.#running.map(async (one) => [one, await this.#updates(one, filter)] as const)));
    const [cpu, served, began] = [this.#cpu(), cpuSeconds(server), now()];
    write();
    const missing = await this.#each(timeoutMs, async (one) => (await this.#updates(one, filter)) > (before.get(one) ?? 0));
    const lastMs = now() - began;
    await sleep(500);
    return {
      cpuSeconds: cpuSeconds(server) - served,
      clientCpuSeconds: this.#cpu() - cpu,
      ...(missing === 0 ? { lastMs } : { note: `${String(missing)} of ${String(this.#running.length)} did not see it` }),
    };
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#running.map(async ({ child }) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }),
    );
  }
}
