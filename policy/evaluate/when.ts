import type { PolicyMatch, When } from '../../mesh/model/authorization-policy.ts';
import { inBlock } from './address.ts';
import { type Check, checksOf } from './check.ts';
import type { Facts } from './facts.ts';
import { isNamespace, isPrincipal, isServiceAccount } from './peer.ts';
import { isText, valueOf } from './text.ts';
import { hasAudience, hasClaim, hasPresenter, isRequestPrincipal } from './token.ts';
import type { Truth } from './truth.ts';

interface Attribute {
  readonly actual: string;
  readonly matches: (value: string) => Truth;
}

/** What is known of an optional attribute, in words. */
export function shown(value: string | number | undefined): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}

export function shownPeer(facts: Facts): string {
  return facts.peer === undefined ? 'an unauthenticated peer' : `spiffe://${facts.peer}`;
}

function ofText(value: string | undefined): Attribute {
  return { actual: shown(value), matches: (text) => value !== undefined && isText(valueOf(text), value) };
}

/** True when one line of the header matches; a wildcard alone is satisfied by an empty line too, as in Envoy. */
function ofHeader(facts: Facts, written: string): Attribute {
  const name = written.toLowerCase() === 'host' ? ':authority' : written.toLowerCase();
  const lines = facts.headers.get(name);
  return {
    actual: shown(lines?.join(', ')),
    matches: (text) => {
      const value = valueOf(text);
      return lines?.some((line) => value.kind === 'present' || isText(value, line)) ?? false;
    },
  };
}

function ofToken(facts: Facts, matches: (value: PolicyMatch) => boolean): Attribute {
  return { actual: facts.token === undefined ? 'no token' : 'the token', matches: (text) => matches(valueOf(text)) };
}

const OF_HTTP = /^request\./;

/** True when a condition asks for what only HTTP has. */
export function asksForHttp(when: When): boolean {
  return OF_HTTP.test(when.key) && bracketed(when.key) !== undefined;
}

type Key = { readonly name: string; readonly path: readonly string[] };

const PLAIN: ReadonlySet<string> = new Set(['request.auth.principal', 'request.auth.audiences', 'request.auth.presenter']);

/** The name of a `request.` key and what its brackets hold; undefined when it is no key of that kind. */
function bracketed(key: string): Key | undefined {
  if (PLAIN.has(key)) return { name: key, path: [] };
  const [, name, brackets] = /^(request\.headers|request\.auth\.claims)((?:\[[^[\]]+\])+)$/.exec(key) ?? [];
  if (name === undefined || brackets === undefined) return undefined;
  const path = brackets.slice(1, -1).split('][');
  return name === 'request.headers' && path.length > 1 ? undefined : { name, path };
}

function requestAttribute({ name, path }: Key, facts: Facts): Attribute | undefined {
  const { token } = facts;
  switch (name) {
    case 'request.auth.principal':
      return ofToken(facts, (value) => isRequestPrincipal(token, value));
    case 'request.auth.audiences':
      return ofToken(facts, (value) => hasAudience(token, value));
    case 'request.auth.presenter':
      return ofToken(facts, (value) => hasPresenter(token, value));
    case 'request.auth.claims':
      return ofToken(facts, (value) => hasClaim(token, path, value));
    case 'request.headers':
      return ofHeader(facts, path[0] ?? '');
    default:
      return undefined;
  }
}

/** Keys as https://istio.io/latest/docs/reference/config/security/conditions/ lists them; undefined: not one of those. */
function attribute(key: string, facts: Facts, ownNamespace: string): Attribute | undefined {
  switch (key) {
    case 'source.ip':
      return { actual: shown(facts.ip), matches: (value) => inBlock(value, facts.ip) };
    case 'remote.ip':
      return { actual: shown(facts.remoteIp), matches: (value) => inBlock(value, facts.remoteIp) };
    case 'destination.ip':
      return { actual: shown(facts.destinationIp), matches: (value) => inBlock(value, facts.destinationIp) };
    case 'destination.port':
      return {
        actual: shown(facts.port),
        matches: (value) => (/^\d{1,5}$/.test(value) && Number(value) <= 65535 ? Number(value) === facts.port : 'unknown'),
      };
    case 'connection.sni':
      return ofText(facts.sni);
    case 'source.principal':
      return { actual: shownPeer(facts), matches: (value) => isPrincipal(valueOf(value), facts.peer, facts.meshConfig) };
    case 'source.namespace':
      return { actual: shownPeer(facts), matches: (value) => isNamespace(valueOf(value), facts.peer) };
    case 'source.serviceAccount':
      return { actual: shownPeer(facts), matches: (value) => isServiceAccount(valueOf(value), facts.peer, ownNamespace) };
    default: {
      const found = bracketed(key);
      return found === undefined ? undefined : requestAttribute(found, facts);
    }
  }
}

/** The checks of one entry of `when`. */
export function whenChecks(when: When, facts: Facts, ownNamespace: string): readonly Check[] {
  const found = attribute(when.key, facts, ownNamespace);
  if (found === undefined) return [{ truth: 'unknown', why: `${when.key} is not known` }];
  if (!facts.http && asksForHttp(when)) return [{ truth: 'unknown', why: `${when.key} does not exist on TCP` }];
  return checksOf(when.key, when.values, found.actual, (value) => value, found.matches);
}
