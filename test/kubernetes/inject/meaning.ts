// What makes two injected pods equal in meaning, although one is for Istio's agent and the other for Gatehouse's.
import { isObject, type Json, type JsonObject } from '../../../kubernetes/inject/json.ts';
import { captureOptions, captureOptionsOf } from './istio-words.ts';

/**
 * Compared as they are: which objects change; containers, their kinds and order, images, pull policies, ports, resources, rights, probes, mounts; volumes; labels; annotations; pod
 * security; environment with values and order. Not compared: fields that are empty (`{}`, `[]`, `null`, `""`: what Go's printing adds or drops) and GOMEMLIMIT (for
 * Go's memory). Compared by what they mean: the words to the capture and to the agent (options, log levels, threads), hooks of the proxy (wait, drain),
 * JSON within annotations and variables, quantities (2000m = 2), a volume without any source (an empty directory that Istio's goldens have lost).
 */
export function meaning(value: Json | undefined): Json {
  return simplified(value) ?? null;
}

const DROPPED = new Set(['GOMEMLIMIT']);
const AGENT = new Set(['istio-proxy']);
const CAPTURES = new Set(['istio-init', 'istio-validation']);

function simplified(value: Json | undefined, key = ''): Json | undefined {
  if (value === null || value === undefined || value === '') return undefined;
  if (Array.isArray(value)) {
    const list: Json[] = [];
    for (const one of value) {
      if (isObject(one) && typeof one['name'] === 'string' && DROPPED.has(one['name'])) continue;
      list.push(simplified(one, '') ?? (typeof one === 'string' ? one : {}));
    }
    return list.length === 0 ? undefined : list;
  }
  if (isObject(value)) {
    const words = withMeaning(value);
    const entries = Object.entries(words).flatMap(([field, one]) => {
      const simple = simplified(one, field);
      return simple === undefined ? [] : [[field, simple] as const];
    });
    return entries.length === 0 ? undefined : Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }
  if (typeof value === 'string') return text(value, key);
  return value;
}

function text(value: string, key: string): Json | undefined {
  if (/^(cpu|memory|ephemeral-storage)$/.test(key)) return quantity(value);
  const trimmed = value.trim();
  if (trimmed.startsWith('{') || trimmed.startsWith('[')) {
    try {
      const parsed: unknown = JSON.parse(trimmed);
      const simple = isObject(parsed) || Array.isArray(parsed) ? simplified(JSON.parse(trimmed)) : trimmed;
      return simple ?? '{}';
    } catch {
      return trimmed;
    }
  }
  return trimmed;
}

function quantity(value: string): string {
  if (/^\d+m$/.test(value)) return String(Number(value.slice(0, -1)) / 1000);
  if (/^\d+Mi$/.test(value)) return String(Number(value.slice(0, -2)) * 1024 ** 2);
  if (/^\d+Gi$/.test(value)) return String(Number(value.slice(0, -2)) * 1024 ** 3);
  return value;
}

function withMeaning(value: JsonObject): JsonObject {
  const name = typeof value['name'] === 'string' ? value['name'] : '';
  const args = Array.isArray(value['args']) ? value['args'].map(String) : undefined;
  if (args !== undefined && CAPTURES.has(name)) return { ...value, args: captureOptions(args) };
  if (AGENT.has(name) && value['volumeMounts'] !== undefined)
    return {
      ...value,
      ...(args === undefined ? {} : { args: captureOptionsOf.agent(args) }),
      lifecycle: captureOptionsOf.lifecycle(value['lifecycle']),
    };
  return value;
}
