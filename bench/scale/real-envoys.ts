import { existsSync } from 'node:fs';
import { replaceFile } from '../mesh/files.ts';
import type { PlannedProxy } from '../mesh/plan.ts';
import { Envoys } from './envoys.ts';
import type { Figures } from './figures.ts';
import { vouching } from './mutual-tls.ts';
import { calm, type Changes } from './steps.ts';
import { startGatehouse } from './target.ts';

export interface RealEnvoysOptions {
  readonly folder: string;
  readonly dir: string;
  readonly nodeFlags: readonly string[];
  readonly proxies: readonly PlannedProxy[];
  readonly changes: Changes;
  readonly repeats: number;
  readonly timeoutMs: number;
  readonly add: (work: string, all: readonly Figures[]) => void;
}

/** First configuration and changes with real Envoys over mutual TLS: what the load client stands for. */
export async function realEnvoys({
  folder,
  dir,
  nodeFlags,
  proxies,
  changes,
  repeats,
  timeoutMs,
  add,
}: RealEnvoysOptions): Promise<void> {
  const path = process.env['GATEHOUSE_ENVOY'];
  if (path === undefined || !existsSync(path)) throw new RangeError('--envoys: GATEHOUSE_ENVOY must name an Envoy');
  const { tokens, flags } = await vouching(dir);
  const target = await startGatehouse(folder, dir, nodeFlags, flags);
  const envoys = await Envoys.start(path, proxies, target, tokens, dir);
  try {
    add('first configuration', [await envoys.configured(timeoutMs)]);
    const [routes, endpoints]: [Figures[], Figures[]] = [[], []];
    for (let repeat = 0; repeat < repeats; repeat++) {
      await calm(target);
      const { file: route, host, weight } = changes.routeFile();
      const routed = {
        write: () => replaceFile(target.folder, route),
        seen: { path: '/config_dump?resource=dynamic_route_configs', in: (answer: string) => hasWeight(answer, host, weight) },
      };
      routes.push(await envoys.change(routed, target.pid, timeoutMs));
      await calm(target);
      const { file, address } = changes.endpointFile();
      const served = {
        write: () => replaceFile(target.folder, file),
        seen: { path: '/clusters', in: (answer: string) => answer.includes(`::${address}:`) },
      };
      endpoints.push(await envoys.change(served, target.pid, timeoutMs));
    }
    add('one route weight', routes);
    add('one endpoint', endpoints);
  } finally {
    await envoys.stop();
    await target.close();
  }
}

interface RouteDump {
  readonly configs?: readonly {
    readonly route_config?: {
      readonly virtual_hosts?: readonly {
        readonly domains?: readonly string[];
        readonly routes?: readonly {
          readonly route?: { readonly weighted_clusters?: { readonly clusters: readonly { readonly weight?: number }[] } };
        }[];
      }[];
    };
  }[];
}

/** Whether the virtual host of a host sends this share to the first of its subsets. */
function hasWeight(dump: string, host: string, weight: number): boolean {
  const { configs = [] }: RouteDump = JSON.parse(dump);
  return configs
    .flatMap(({ route_config: config }) => config?.virtual_hosts ?? [])
    .filter(({ domains = [] }) => domains.includes(host))
    .some(({ routes = [] }) => routes.some(({ route }) => route?.weighted_clusters?.clusters[0]?.weight === weight));
}
