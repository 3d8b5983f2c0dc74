import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../running-mesh.ts';

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

/** The expressions of a dashboard as Grafana would send them with these values of its variables. */
export function expressionsOf(
  name: string,
  values: { readonly namespace: string; readonly service: string; readonly workload: string; readonly window: string },
): readonly { readonly title: string; readonly expr: string }[] {
  const dashboard: Dashboard = JSON.parse(readFileSync(join(root, 'manifests', 'grafana', `${name}.json`), 'utf8'));
  return dashboard.panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }) => ({
      title,
      expr: expr
        .replaceAll('$__rate_interval', values.window)
        .replaceAll('$__range', values.window)
        .replaceAll('$namespace', values.namespace)
        .replaceAll('$service', values.service)
        .replaceAll('$workload', values.workload),
    })),
  );
}
