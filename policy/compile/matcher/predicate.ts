import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import {
  DestinationPortInputSchema,
  FilterStateInputSchema,
} from '#gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb.js';
import { HttpRequestHeaderMatchInputSchema } from '#gen/envoy/type/matcher/v3/http_inputs_pb.js';
import { type TypedExtensionConfig, TypedExtensionConfigSchema } from '#gen/xds/core/v3/extension_pb.js';
import { type Matcher_MatcherList_Predicate, Matcher_MatcherList_PredicateSchema } from '#gen/xds/type/matcher/v3/matcher_pb.js';
import { type StringMatcher, StringMatcherSchema } from '#gen/xds/type/matcher/v3/string_pb.js';
import { PEER_KEY, SERIAL_KEY, SINGLE } from '../peer.ts';
import { escapeRegex } from '../regex.ts';
import type { OperationLeaf, SourceLeaf, Text, Tree } from '../test.ts';

export type Predicate = Matcher_MatcherList_Predicate;

/** Headers of which a request has one at most, because Envoy keeps a single value: the matcher's input joins the lines of others. */
const SINGLE_VALUED: readonly string[] = Object.freeze([':method', ':path', ':authority']);

/** Values from the connection and request, each by the one message that names it. */
const kept = (key: string): TypedExtensionConfig =>
  create(TypedExtensionConfigSchema, {
    name: 'filter_state',
    typedConfig: anyPack(FilterStateInputSchema, create(FilterStateInputSchema, { key })),
  });
const header = (headerName: string): TypedExtensionConfig =>
  create(TypedExtensionConfigSchema, {
    name: 'header',
    typedConfig: anyPack(HttpRequestHeaderMatchInputSchema, create(HttpRequestHeaderMatchInputSchema, { headerName })),
  });
const port = (): TypedExtensionConfig =>
  create(TypedExtensionConfigSchema, {
    name: 'port',
    typedConfig: anyPack(DestinationPortInputSchema, create(DestinationPortInputSchema)),
  });

/** The peer's SPIFFE ID: nothing without one, a text that no key equals with several. */
export const peerInput = (): TypedExtensionConfig => kept(PEER_KEY);

function textMatcher(text: Text, ignoreCase = false): StringMatcher {
  if (text.kind === 'regex') {
    const value = { engineType: { case: 'googleRe2', value: {} }, regex: text.value } as const;
    return create(StringMatcherSchema, { matchPattern: { case: 'safeRegex', value } });
  }
  return create(StringMatcherSchema, { matchPattern: { case: text.kind, value: text.value }, ignoreCase });
}

function single(input: TypedExtensionConfig, text: Text, ignoreCase = false): Predicate {
  const matcher = { case: 'valueMatch', value: textMatcher(text, ignoreCase) } as const;
  return create(Matcher_MatcherList_PredicateSchema, { matchType: { case: 'singlePredicate', value: { input, matcher } } });
}

function joined(kind: 'andMatcher' | 'orMatcher', predicate: Predicate[]): Predicate {
  const [only, another] = predicate;
  if (only !== undefined && another === undefined) return only;
  return create(Matcher_MatcherList_PredicateSchema, { matchType: { case: kind, value: { predicate } } });
}

function inverted(predicate: Predicate): Predicate {
  return create(Matcher_MatcherList_PredicateSchema, { matchType: { case: 'notMatcher', value: predicate } });
}

const SOME: Text = Object.freeze({ kind: 'regex', value: '(?s).+' });

/** True for whoever has a SPIFFE ID, or several: keys begin so, too. */
export const anyPeer = (): Predicate => single(peerInput(), { kind: 'prefix', value: 'spiffe://' });

/** As `doubtful-peer` of the rules, with the certificate's serial number as the sign that there is one. */
function doubtful(): Predicate {
  return joined('andMatcher', [inverted(single(peerInput(), SINGLE)), single(kept(SERIAL_KEY), SOME)]);
}

/**
 * The path without its query, where the input has it with: what may follow begins with `?` (or `#`, which Envoy refuses or cuts off
 * before). A text that itself holds one matches no path. Expressions are the templates of paths, whose wildcards would take a query in.
 */
function path(text: Text): Predicate | undefined {
  if (text.kind === 'regex' || /[?#]/.test(text.value)) return undefined;
  const input = header(':path');
  switch (text.kind) {
    case 'exact':
      return joined('orMatcher', [
        single(input, text),
        ...['?', '#'].map((after) => single(input, { kind: 'prefix', value: text.value + after })),
      ]);
    case 'prefix':
      return single(input, text);
    case 'suffix':
      return single(input, { kind: 'regex', value: `(?s)[^?#]*${escapeRegex(text.value)}(?:[?#].*)?` });
    default:
      return text satisfies never;
  }
}

function leafPredicate(leaf: SourceLeaf | OperationLeaf): Predicate | undefined {
  switch (leaf.test) {
    case 'peer':
      return single(peerInput(), leaf.text);
    case 'doubtful-peer':
      return doubtful();
    case 'header':
      if (!SINGLE_VALUED.includes(leaf.name)) return undefined;
      return single(header(leaf.name), leaf.text.kind === 'present' ? SOME : leaf.text, leaf.ignoreCase);
    case 'path':
      return path(leaf.text);
    case 'destination-port':
      return single(port(), { kind: 'exact', value: String(leaf.port) });
    case 'direct-address':
    case 'remote-address':
    case 'claim':
    case 'metadata':
    case 'destination-address':
    case 'server-name':
      return undefined;
    default:
      return leaf satisfies never;
  }
}

/** A tree as a predicate; `always` when it holds for all; undefined when a matcher cannot say exactly the same. */
export function predicateOf(tree: Tree<SourceLeaf | OperationLeaf>): Predicate | 'always' | undefined {
  switch (tree.op) {
    case 'always':
      return 'always';
    case 'never':
      return undefined;
    case 'leaf':
      return leafPredicate(tree.leaf);
    case 'not': {
      const inner = predicateOf(tree.of);
      return inner === undefined || inner === 'always' ? undefined : inverted(inner);
    }
    case 'all':
    case 'any': {
      const parts: Predicate[] = [];
      for (const part of tree.of) {
        const made = predicateOf(part);
        if (made === undefined || made === 'always') return undefined;
        parts.push(made);
      }
      return joined(tree.op === 'all' ? 'andMatcher' : 'orMatcher', parts);
    }
    default:
      return tree satisfies never;
  }
}
