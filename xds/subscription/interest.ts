import { CLUSTER, LISTENER, VIRTUAL_HOST } from '../resource-set.ts';
import type { TypeUrl } from '../resource-set.ts';
import { Names } from './names.ts';

const WILDCARD = '*';

/**
 * What a client asks for of one type.
 * Wildcard by habit ("legacy"): for types that proxies ask for whole, a client that never named a resource means all;
 * the first name ends that. Wildcard by name: `*` among the names. Envoy, xDS protocol, "How the client specifies what
 * resources to return".
 */
export interface Interest {
  readonly wildcard: 'none' | 'legacy' | 'explicit';
  readonly names: Names;
}

export interface InterestChange {
  readonly interest: Interest;
  /** Names asked for now that were not before; in a delta request also those asked for again. */
  readonly asked: readonly string[];
  /** Names no longer asked for by name. */
  readonly dropped: readonly string[];
  /** The client now wants all and did not before. */
  readonly beganWildcard: boolean;
  readonly endedWildcard: boolean;
}

export const NO_INTEREST: Interest = Object.freeze({ wildcard: 'none', names: Names.NONE });

const LEGACY: Interest = Object.freeze({ wildcard: 'legacy', names: Names.NONE });
const byName = new WeakMap<Names, Interest>();

/** Streams that ask for the same names by the same lists have the same interest. */
function namedOnly(names: Names): Interest {
  const known = byName.get(names);
  if (known !== undefined) return known;
  const made: Interest = names.size === 0 ? NO_INTEREST : Object.freeze({ wildcard: 'none', names });
  byName.set(names, made);
  return made;
}

/** Types of which "no names" means all; of the others it means none. Virtual hosts: Envoy subscribes to them with no names at all. */
function takesLegacyWildcard(type: TypeUrl): boolean {
  return type === CLUSTER || type === LISTENER || type === VIRTUAL_HOST;
}

export function wants(interest: Interest, name: string): boolean {
  return interest.wildcard !== 'none' || interest.names.has(name);
}

/** State of the world: each request names everything that is wanted. `before` is undefined for the first request of the type. */
export function replaceInterest(type: TypeUrl, before: Interest | undefined, requested: readonly string[]): InterestChange {
  const old = before ?? NO_INTEREST;
  if (requested.length === 0 && takesLegacyWildcard(type) && (before === undefined || old.wildcard === 'legacy')) {
    return change(old, LEGACY, []);
  }
  // Each acknowledgement names all again, thousands of them, nearly always the same in the same order.
  if (old.wildcard === 'none' && before !== undefined && inOrder(old.names, requested)) return change(old, old, []);
  const explicit = requested.includes(WILDCARD);
  const names = Names.NONE.with(explicit ? requested.filter((name) => name !== WILDCARD) : requested);
  const asked = [...names].filter((name) => !old.names.has(name));
  const same = asked.length === 0 && names.size === old.names.size;
  const dropped = same ? [] : [...old.names].filter((name) => !names.has(name));
  const kept = same ? old.names : names;
  return change(old, explicit ? { wildcard: 'explicit', names: kept } : namedOnly(kept), asked, dropped);
}

/** Delta: each request adds and takes away. `before` is undefined for the first request of the type. */
export function amendInterest(
  type: TypeUrl,
  before: Interest | undefined,
  subscribe: readonly string[],
  unsubscribe: readonly string[],
): InterestChange {
  const old = before ?? NO_INTEREST;
  if (subscribe.length === 0 && unsubscribe.length === 0) {
    return change(old, before === undefined && takesLegacyWildcard(type) ? LEGACY : old, []);
  }
  let wildcard = subscribe.length > 0 && old.wildcard === 'legacy' ? 'none' : old.wildcard;
  if (subscribe.includes(WILDCARD)) wildcard = 'explicit';
  if (unsubscribe.includes(WILDCARD)) wildcard = 'none';
  const named = subscribe.includes(WILDCARD) ? subscribe.filter((name) => name !== WILDCARD) : subscribe;
  const names = old.names.with(named).without(unsubscribe);
  return change(
    old,
    wildcard === 'none' ? namedOnly(names) : { wildcard, names },
    unsubscribe.length === 0 ? named : named.filter((name) => names.has(name)),
    unsubscribe.filter((name) => old.names.has(name) && !names.has(name)),
  );
}

function inOrder(names: Names, requested: readonly string[]): boolean {
  if (names.isOf(requested)) return true;
  if (names.size !== requested.length) return false;
  let at = 0;
  for (const name of names) if (requested[at++] !== name) return false;
  return true;
}

function change(old: Interest, interest: Interest, asked: readonly string[], dropped: readonly string[] = []): InterestChange {
  return {
    interest,
    asked,
    dropped,
    beganWildcard: old.wildcard === 'none' && interest.wildcard !== 'none',
    endedWildcard: old.wildcard !== 'none' && interest.wildcard === 'none',
  };
}
