import { isObject, type Json, type JsonObject, textAt } from './json.ts';
import { annotationsOf, type PodTemplate, withAnnotations } from './pod.ts';

/** Both spellings that scrapers' configurations use. */
function read(annotations: Readonly<Record<string, string>>, name: string): string | undefined {
  return annotations[`prometheus.io/${name}`] ?? annotations[`prometheus.io.${name}`];
}

const TARGETS = 'prometheus.istio.io/scrape-targets';
const PATH = '/stats/prometheus';
const NAMES = ['scrape', 'port', 'path'] as const;

export interface Scraped {
  readonly pod: PodTemplate;
  /** What the agent is to scrape and to put beside the proxy's metrics; undefined: nothing. */
  readonly own: JsonObject | undefined;
}

/**
 * Leads scrapers to the agent, which gives the application's metrics together with the proxy's: the application's port is not to be had without mutual
 * TLS. A pod that is not scraped at all, or that asks for it, is left alone.
 */
export function mergeMetrics(pod: PodTemplate, port: string): Scraped {
  const annotations = annotationsOf(pod);
  const scrape = read(annotations, 'scrape');
  if (annotations['prometheus.istio.io/merge-metrics'] === 'false' || scrape?.toLowerCase() === 'false')
    return { pod, own: undefined };
  if (read(annotations, 'port') === port && read(annotations, 'path') === PATH) return { pod, own: undefined };
  const targets = parseTargets(annotations[TARGETS]);
  const [first] = targets;
  const given: JsonObject = {
    ...(scrape === undefined ? {} : { scrape }),
    path: first?.path ?? read(annotations, 'path') ?? '',
    port: first?.port ?? read(annotations, 'port') ?? '',
    ...(targets.length === 0 ? {} : { targets: targets.map((one) => ({ port: one.port, path: one.path })) }),
  };
  const says = scrape !== undefined || given['path'] !== '' || given['port'] !== '';
  const changed = withAnnotations(pod, {
    [TARGETS]: undefined,
    'prometheus.io/scrape': 'true',
    'prometheus.io/port': port,
    'prometheus.io/path': PATH,
  });
  return { pod: changed, own: says ? given : undefined };
}

interface Target {
  readonly port: string;
  readonly path: string;
}

/** `8080:/metrics,9100:/custom`; what cannot be meant is left out. */
function parseTargets(text = ''): readonly Target[] {
  return text.split(',').flatMap((one) => {
    const [port = '', path = '/metrics'] = one.trim().split(':', 2);
    return /^\d{1,5}$/.test(port) && Number(port) <= 65_535 && path.startsWith('/') ? [{ port, path }] : [];
  });
}

/** The annotations as they were before, for a pod that is injected once more. */
export function restoreMetrics(pod: PodTemplate, port: string, own: Json | undefined): PodTemplate {
  const annotations = annotationsOf(pod);
  if (annotations['prometheus.io/path'] !== PATH || annotations['prometheus.io/port'] !== port) return pod;
  const given = isObject(own) ? own : {};
  const text = (name: string): string | undefined => {
    const value = given[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const targets = Array.isArray(given['targets']) ? given['targets'].filter(isObject) : [];
  const list = targets.map((one) => `${textAt(one, 'port') ?? ''}:${textAt(one, 'path') ?? ''}`).join(',');
  const before = Object.fromEntries(
    NAMES.map((name) => [`prometheus.io/${name}`, list === '' || name === 'scrape' ? text(name) : undefined]),
  );
  return withAnnotations(pod, { ...before, ...(list === '' ? {} : { [TARGETS]: list }) });
}
