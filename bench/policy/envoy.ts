// One real Envoy with a listener for each variant; only one listener is used at a time, so what the process spends is that variant's.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Issued } from '../../test/audit/envoy/certificates.ts';

const TYPE = 'type.googleapis.com/envoy.extensions';

/** A listener: filters in front of an answer (HTTP), or in front of an echo (TCP). */
export interface Variant {
  readonly name: string;
  readonly protocol: 'HTTP' | 'TCP';
  /** As JSON. */
  readonly filters: readonly object[];
  /** HTTP only. */
  readonly accessLog?: readonly object[];
}

function tls(certificate: Issued, root: string): object {
  return {
    name: 'tls',
    typed_config: {
      '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`,
      require_client_certificate: true,
      common_tls_context: {
        tls_certificates: [
          { certificate_chain: { inline_string: certificate.cert }, private_key: { inline_string: certificate.key } },
        ],
        validation_context: { trusted_ca: { inline_string: root } },
      },
    },
  };
}

function filtersOf({ protocol, filters, accessLog = [] }: Variant): readonly object[] {
  if (protocol === 'TCP')
    return [
      ...filters,
      { name: 'envoy.filters.network.echo', typed_config: { '@type': `${TYPE}.filters.network.echo.v3.Echo` } },
    ];
  const router = { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } };
  return [
    {
      name: 'envoy.filters.network.http_connection_manager',
      typed_config: {
        '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
        stat_prefix: 'in',
        normalize_path: true,
        access_log: accessLog,
        http_filters: [...filters, router],
        route_config: {
          virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '' }, direct_response: { status: 200 } }] }],
        },
      },
    },
  ];
}

export interface MeasuredEnvoy {
  readonly version: string;
  portOf(name: string): number;
  /** Processor time of all its threads so far, in microseconds. */
  cpuMicroseconds(): number;
  stop(): Promise<void>;
}

interface Listeners {
  readonly listener_statuses: readonly {
    readonly name: string;
    readonly local_address: { readonly socket_address: { readonly port_value: number } };
  }[];
}

export async function startMeasured(
  path: string,
  folder: string,
  variants: readonly Variant[],
  server: Issued,
  root: string,
  clusters: readonly object[] = [],
): Promise<MeasuredEnvoy> {
  const admin = join(folder, 'admin.txt');
  const config = {
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    layered_runtime: { layers: [{ name: 'static', static_layer: { 're2.max_program_size.error_level': 32768 } }] },
    static_resources: {
      clusters,
      listeners: variants.map((variant) => ({
        name: variant.name,
        address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
        filter_chains: [{ transport_socket: tls(server, root), filters: filtersOf(variant) }],
      })),
    },
  };
  writeFileSync(join(folder, 'envoy.json'), JSON.stringify(config));
  const child = spawn(
    path,
    [
      ...['-c', join(folder, 'envoy.json'), '--admin-address-path', admin],
      ...['--concurrency', '1', '--use-dynamic-base-id', '-l', 'error'],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
  };
  for (let tries = 0; tries < 600; tries++) {
    if (child.exitCode !== null) throw new Error('Envoy ended: see its words above');
    await sleep(50);
    if (!existsSync(admin)) continue;
    const answer = await fetch(`http://${readFileSync(admin, 'utf8')}/listeners?format=json`).catch(() => undefined);
    if (answer === undefined) continue;
    const { listener_statuses: listeners } = (await answer.json()) as Listeners;
    if (listeners.length < variants.length) continue;
    const ports = new Map(listeners.map(({ name, local_address: at }) => [name, at.socket_address.port_value]));
    const info = (await (await fetch(`http://${readFileSync(admin, 'utf8')}/server_info`)).json()) as {
      readonly version: string;
    };
    return {
      version: info.version,
      portOf(name) {
        const port = ports.get(name);
        if (port === undefined) throw new RangeError(`no listener ${name}`);
        return port;
      },
      cpuMicroseconds() {
        let nanoseconds = 0;
        for (const task of readdirSync(`/proc/${child.pid}/task`))
          nanoseconds += Number(readFileSync(`/proc/${child.pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
        return nanoseconds / 1000;
      },
      stop,
    };
  }
  await stop();
  throw new Error('Envoy is not live in time');
}
