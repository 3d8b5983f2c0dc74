import type { Labels, Meta } from './object.ts';
import { selects } from './object.ts';

/** A ProxyConfig: how the proxies of some workloads are started. */
export interface ProxySettings {
  readonly meta: Meta;
  /** Empty: the whole namespace (the whole mesh, in the root namespace). */
  readonly selector: Labels;
  /** Threads; 0: one for each core; undefined: as the wider level says. */
  readonly concurrency: number | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/** How one proxy is started. */
export interface ProxyStart {
  readonly concurrency: number | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * What holds for a workload: of the mesh, of its namespace and of itself the oldest object each; the narrower replaces field by field, and
 * variable by variable.
 */
export function proxyStart(all: readonly ProxySettings[], rootNamespace: string, namespace: string, labels: Labels): ProxyStart {
  const isWide = ({ selector }: ProxySettings) => Object.keys(selector).length === 0;
  const levels = [
    all.find((one) => isWide(one) && one.meta.namespace === rootNamespace),
    all.find((one) => isWide(one) && one.meta.namespace === namespace && namespace !== rootNamespace),
    all.find((one) => !isWide(one) && one.meta.namespace === namespace && selects(one.selector, labels)),
  ];
  let concurrency: number | undefined;
  let environment: Readonly<Record<string, string>> = {};
  for (const one of levels) {
    concurrency = one?.concurrency ?? concurrency;
    environment = { ...environment, ...one?.environment };
  }
  return { concurrency, environment };
}
