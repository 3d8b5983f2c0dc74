import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../eventually.ts';
import { NODE } from './server.ts';

export interface Envoy {
  /** The port that a listener is bound to; waits for it. */
  port(listener: string): Promise<number>;
  admin(path: string): Promise<string>;
  stop(): Promise<void>;
}

const HTTP2 = {
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    explicit_http_config: { http2_protocol_options: {} },
  },
};

/** All configuration from one ADS stream, in plain text. */
function bootstrap(address: string, variant: 'sotw' | 'delta'): object {
  const [host = '', port = ''] = address.split(':');
  const endpoint = { endpoint: { address: { socket_address: { address: host, port_value: Number(port) } } } };
  const ads = { ads: {}, resource_api_version: 'V3' };
  return {
    node: { id: NODE, cluster: 'web.shop' },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    dynamic_resources: {
      ads_config: {
        api_type: variant === 'delta' ? 'DELTA_GRPC' : 'GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [
          {
            envoy_grpc: {
              cluster_name: 'xds',
              retry_policy: { retry_back_off: { base_interval: '0.05s', max_interval: '0.2s' } },
            },
          },
        ],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      clusters: [
        {
          name: 'xds',
          type: 'STATIC',
          connect_timeout: '1s',
          typed_extension_protocol_options: HTTP2,
          load_assignment: { cluster_name: 'xds', endpoints: [{ lb_endpoints: [endpoint] }] },
        },
      ],
    },
  };
}

interface Listeners {
  readonly listener_statuses?: readonly {
    readonly name: string;
    readonly local_address: { readonly socket_address: { readonly port_value: number } };
  }[];
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** Starts an Envoy that takes everything from a discovery service; gives back once its admin interface answers. */
export async function startEnvoy(path: string, address: string, variant: 'sotw' | 'delta', workers = 1): Promise<Envoy> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-xds-'));
  const adminFile = join(folder, 'admin.txt');
  const file = join(folder, 'envoy.json');
  writeFileSync(file, JSON.stringify(bootstrap(address, variant)));
  const child = spawn(
    path,
    ['-c', file, '--admin-address-path', adminFile, '--concurrency', `${workers}`, '--use-dynamic-base-id', '-l', 'warning'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const stop = async (): Promise<void> => {
    await end(child);
    rmSync(folder, { recursive: true, force: true });
  };
  const admin = async (target: string): Promise<string> =>
    (await fetch(`http://${readFileSync(adminFile, 'utf8')}${target}`)).text();
  try {
    await eventually('Envoy answers', async () => {
      if (child.exitCode !== null) throw new Error(`Envoy ended: ${errors}`);
      return existsSync(adminFile) ? admin('/server_info').catch(() => undefined) : undefined;
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    admin,
    stop,
    port: (listener) =>
      eventually(`listener ${listener} is bound (${errors.slice(-2000)})`, async () => {
        const { listener_statuses: statuses } = JSON.parse(await admin('/listeners?format=json')) as Listeners;
        const port = statuses?.find(({ name }) => name === listener)?.local_address.socket_address.port_value;
        return port === undefined || port === 0 ? undefined : port;
      }),
  };
}
