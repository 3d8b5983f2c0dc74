import type { TextMap } from './json.ts';

/** Istio's short names of variables in the webhook's URL. */
const NAMES: Readonly<Record<string, string>> = Object.freeze({ cluster: 'ISTIO_META_CLUSTER_ID', net: 'ISTIO_META_NETWORK' });
const ENV = ':ENV:';
const MOST_BYTES = 4096;

/**
 * The variables that the path of the webhook gives to proxies, as Istio's remote clusters write them: `/inject/cluster/C/net/N`, with `--slash--` for a slash in a
 * value, or `/inject/:ENV:cluster=C:ENV:net=N`. What has no value is left out.
 */
export function variablesOfPath(path: string): TextMap {
  const text = path.split('?')[0]?.replace(/^\/inject\/?/, '') ?? '';
  if (text === '' || text.length > MOST_BYTES) return {};
  const pairs = text.startsWith(ENV) ? text.split(ENV).map((one) => splitAtFirst(one, '=')) : pairsOf(text.split('/'));
  return Object.fromEntries(
    pairs.flatMap(([key, value]) => {
      const name = Object.hasOwn(NAMES, key) ? (NAMES[key] ?? key) : key.toUpperCase().replace(/-/g, '_');
      // A name that no shell has would make the pod be refused.
      return value === undefined || value === '' || !/^[A-Z_][A-Z0-9_.]*$/.test(name)
        ? []
        : [[name, decoded(value).replaceAll('--slash--', '/')]];
    }),
  );
}

function splitAtFirst(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

function pairsOf(words: readonly string[]): readonly (readonly [string, string | undefined])[] {
  return words.flatMap((word, index) => (index % 2 === 0 ? [[word, words[index + 1]] as const] : []));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
