import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { PolicyMatch, When } from '../../mesh/model/authorization-policy.ts';
import { inBlocks } from './address.ts';
import { type Check, checksOf, undecided } from './check.ts';
import { type Facts, linesOf } from './facts.ts';
import { isPartOf, KEPT_AS_ONE } from './joined.ts';
import { isNamespace, isServiceAccount, isTrustDomain, principalTest } from './peer.ts';
import type { Token } from './request.ts';
import { isOneOf, valueOf } from './text.ts';
import { audienceTest, claimTest, presenterTest, requestPrincipalTest } from './token.ts';
import { type Truth, either } from './truth.ts';

/** Where a condition stands: what it means may depend on the mesh and on the policy's own namespace. */
export interface Context {
  readonly meshConfig: MeshConfig;
  readonly namespace: string;
}

interface Attribute {
  readonly actual: (facts: Facts) => string;
  readonly matches: (values: readonly string[]) => (facts: Facts) => Truth;
}

/** What is known of an optional attribute, in words. */
export function shown(value: string | number | undefined): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}

export function shownPeer(facts: Facts): string {
  return facts.peer === undefined ? 'an unauthenticated peer' : `spiffe://${facts.peer}`;
}

export function shownToken(facts: Facts): string {
  return facts.token === undefined ? 'no token' : 'the token';
}

function ofText(read: (facts: Facts) => string | undefined): Attribute {
  return {
    actual: (facts) => shown(read(facts)),
    matches: (texts) => {
      const test = isOneOf(texts.map(valueOf));
      return (facts) => {
        const value = read(facts);
        return value !== undefined && test(value);
      };
    },
  };
}

function ofAddress(read: (facts: Facts) => string | undefined): Attribute {
  return {
    actual: (facts) => shown(read(facts)),
    matches: (blocks) => {
      const test = inBlocks(blocks);
      return (facts) => test(read(facts));
    },
  };
}

function ofPeer(matches: (values: readonly PolicyMatch[]) => (peer: string | undefined) => Truth): Attribute {
  return {
    actual: shownPeer,
    matches: (texts) => {
      const test = matches(texts.map(valueOf));
      return (facts) => test(facts.peer);
    },
  };
}

function ofToken(matches: (values: readonly PolicyMatch[]) => (token: Token | undefined) => boolean): Attribute {
  return {
    actual: shownToken,
    matches: (texts) => {
      const test = matches(texts.map(valueOf));
      return (facts) => test(facts.token);
    },
  };
}

/** True when one line of the header matches; a wildcard alone is satisfied by an empty line too, as in Envoy. */
function ofHeader(written: string): Attribute {
  const name = written.toLowerCase();
  return {
    actual: (facts) => shown(linesOf(facts, name)?.join(', ')),
    matches: (texts) => {
      const values = texts.map(valueOf);
      const test = isOneOf(values);
      const present = values.some(({ kind }) => kind === 'present');
      const matches = (line: string): boolean => present || test(line);
      return (facts) => {
        const lines = linesOf(facts, name);
        if (lines === undefined) return false;
        if (!KEPT_AS_ONE.has(name)) return lines.some(matches);
        // What the proxy sees is one text. Whether a part of it is meant by the policy cannot be told, so it never helps the caller.
        const whole = lines.filter((line) => line !== '').join(',');
        if (matches(whole)) return true;
        return values.some((value) => isPartOf(value, whole)) ? 'unknown' : false;
      };
    },
  };
}

function ofPort(text: string): (port: number | undefined) => Truth {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) return () => 'unknown';
  return (port) => Number(text) === port;
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

function requestAttribute({ name, path }: Key): Attribute | undefined {
  switch (name) {
    case 'request.auth.principal':
      return ofToken(requestPrincipalTest);
    case 'request.auth.audiences':
      return ofToken(audienceTest);
    case 'request.auth.presenter':
      return ofToken(presenterTest);
    case 'request.auth.claims':
      return ofToken((values) => claimTest(path, values));
    case 'request.headers':
      return ofHeader(path[0] ?? '');
    default:
      return undefined;
  }
}

const EXPERIMENTAL = /^experimental\.envoy\.filters\.[^[\]]+\[[^\]]+\]$/;

/** What an Envoy filter would write about a request is not part of a question, and so is absent. */
const NO_METADATA: Attribute = Object.freeze({ actual: () => 'no metadata', matches: () => () => false });

/** Keys as https://istio.io/latest/docs/reference/config/security/conditions/ lists them; undefined: not one of those. */
function attribute(key: string, { meshConfig, namespace }: Context): Attribute | undefined {
  switch (key) {
    case 'source.ip':
      return ofAddress((facts) => facts.ip);
    case 'remote.ip':
      return ofAddress((facts) => facts.remoteIp);
    case 'destination.ip':
      return ofAddress((facts) => facts.destinationIp);
    case 'destination.port':
      return {
        actual: (facts) => shown(facts.port),
        matches: (texts) => {
          const tests = texts.map(ofPort);
          return (facts) => either(tests, (test) => test(facts.port));
        },
      };
    case 'connection.sni':
      return ofText((facts) => facts.sni);
    case 'source.principal':
      return ofPeer((values) => principalTest(values, meshConfig));
    case 'source.namespace':
      return ofPeer((values) => (peer) => values.some((value) => isNamespace(value, peer)));
    case 'source.serviceAccount':
      return ofPeer((values) => (peer) => either(values, (value) => isServiceAccount(value, peer, namespace)));
    case 'source.trustDomain':
      return ofPeer((values) => (peer) => values.some((value) => isTrustDomain(value, peer)));
    default: {
      if (EXPERIMENTAL.test(key)) return NO_METADATA;
      const found = bracketed(key);
      return found === undefined ? undefined : requestAttribute(found);
    }
  }
}

/** The checks of one entry of `when`. */
export function whenChecks(when: When, context: Context, http: boolean): readonly Check[] {
  const found = attribute(when.key, context);
  if (found === undefined) return [undecided(when.key, `${when.key} is not known`)];
  if (!http && asksForHttp(when)) return [undecided(when.key, `${when.key} does not exist on TCP`)];
  return checksOf(when.key, when.values, found.actual, (value) => value, found.matches);
}
