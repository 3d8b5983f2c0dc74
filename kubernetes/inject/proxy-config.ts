import { parse } from 'yaml';
import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';
import { isObject, type Json, type JsonObject, type TextMap, textsAt } from './json.ts';

/** Defaults of Istio's ProxyConfig that people write out; a field with its default says nothing. */
const DEFAULTS: Readonly<Record<string, Json>> = Object.freeze({
  interceptionMode: 'REDIRECT',
  drainDuration: '45s',
  statusPort: 15020,
});

const MOST_BYTES = 64 * 1024;

/** What the pod's own `proxy.istio.io/config` (YAML or JSON) says; absent: nothing. */
export function podProxyConfig(annotations: TextMap): Parsed<JsonObject> {
  const text = annotations['proxy.istio.io/config'];
  if (text === undefined || text.trim() === '') return parsed({});
  if (Buffer.byteLength(text) > MOST_BYTES) return refused(`annotation proxy.istio.io/config has more than ${MOST_BYTES} bytes`);
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 0 });
  } catch {
    return refused('annotation proxy.istio.io/config is no YAML');
  }
  if (value === null || value === undefined) return parsed({});
  return isObject(value) ? parsed(value) : refused('annotation proxy.istio.io/config is no mapping');
}

/** The mesh's fields, with the pod's over them; the variables of `proxyMetadata` one by one. */
export function mergedProxyConfig(mesh: JsonObject, own: JsonObject): JsonObject {
  const all = { ...mesh, ...own };
  const metadata = { ...textsAt(mesh, 'proxyMetadata'), ...proxyMetadata(own) };
  return Object.keys(metadata).length === 0 ? all : { ...all, proxyMetadata: metadata };
}

/** The variables that the proxy's container gets beside ours. Numbers and booleans, as YAML reads them, count as their texts. */
export function proxyMetadata(config: JsonObject): TextMap {
  const found = config['proxyMetadata'];
  if (!isObject(found)) return {};
  return Object.fromEntries(
    Object.entries(found).flatMap(([name, value]) =>
      typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [[name, String(value)]] : [],
    ),
  );
}

/** The fields that say something, as the agent reads them (`PROXY_CONFIG`). */
export function proxyConfigText(config: JsonObject): string {
  const fields = Object.entries(config).filter(([field, value]) => value !== undefined && value !== DEFAULTS[field]);
  return JSON.stringify(Object.fromEntries(fields));
}
