import type { JsonWebKeys } from '../../mesh/model/json-web-keys.ts';
import type { RemoteKeys } from '../../mesh/model/request-authentication.ts';

/** The keys that were fetched so far, by {@link locationOf}. A change makes a new map. */
export type KnownKeys = ReadonlyMap<string, JsonWebKeys>;

/** Nothing was fetched: what a command knows that asks nobody. */
export const NO_KEYS: KnownKeys = new Map();

/** The name under which keys are kept. Rules that agree in it share one fetch; the time that they give it is part of it. */
export function locationOf(source: RemoteKeys): string {
  switch (source.kind) {
    case 'uri':
      return `uri ${source.timeoutMs} ${source.uri}`;
    case 'discovery':
      return `issuer ${source.timeoutMs} ${source.issuer}`;
    default:
      return source satisfies never;
  }
}

/** Where keys come from, in words; without what an address may carry for the server's eyes only (user, query). */
export function describeLocation(source: RemoteKeys): string {
  const text = source.kind === 'uri' ? source.uri : source.issuer;
  if (!URL.canParse(text)) return JSON.stringify(text.slice(0, 200));
  const { origin, pathname, protocol } = new URL(text);
  return protocol === 'http:' || protocol === 'https:' ? `${origin}${pathname}` : JSON.stringify(text.slice(0, 200));
}
