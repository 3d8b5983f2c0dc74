import { existsSync } from 'node:fs';
import { replaceFile } from '../mesh/files.ts';
import type { PlannedProxy } from '../mesh/plan.ts';
import { Envoys } from './envoys.ts';
import type { Figures } from './figures.ts';
import type { Changes } from './steps.ts';
import { calm } from './steps.ts';
import type { Target } from './target.ts';

/** First configuration and changes with real Envoys: what the load client stands for. */
export async function realEnvoys(
  target: Target,
  proxies: readonly PlannedProxy[],
  dir: string,
  changes: Changes,
  repeats: number,
  timeoutMs: number,
  add: (work: string, all: readonly Figures[]) => void,
): Promise<void> {
  const path = process.env['GATEHOUSE_ENVOY'];
  if (path === undefined || !existsSync(path)) throw new RangeError('--envoys: GATEHOUSE_ENVOY must name an Envoy');
  const envoys = Envoys.start(path, proxies, target.address, dir);
  try {
    add('first configuration', [await envoys.configured(timeoutMs)]);
    const [routes, endpoints]: [Figures[], Figures[]] = [[], []];
    for (let repeat = 0; repeat < repeats; repeat++) {
      await calm(target);
      const write = (): void => replaceFile(target.folder, changes.routeFile().file);
      routes.push(await envoys.change(write, 'vhds.*update_success|rds.*update_success', target.pid, timeoutMs));
      await calm(target);
      const { file } = changes.endpointFile();
      const rewrite = (): void => replaceFile(target.folder, file);
      endpoints.push(await envoys.change(rewrite, '^cluster.*update_success', target.pid, timeoutMs));
    }
    add('one route weight', routes);
    add('one endpoint', endpoints);
  } finally {
    await envoys.stop();
  }
}
