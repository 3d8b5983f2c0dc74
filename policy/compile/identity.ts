import type { PolicyMatch } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { escapeRegex, inGroups, oneOf } from './regex.ts';
import { type SourceLeaf, type Tree, any, leaf } from './test.ts';
import { withAliases } from './trust-domain.ts';

// Every expression over identities begins with `(?s)`, so that `.` is any character (a line break in a name must not
// step around a DENY), and with `spiffe://`, so that only a SPIFFE ID can match. One expression for all values of a
// field (a few, when there are thousands): Envoy runs it once, whatever their number.
const SCHEME = 'spiffe://';

function peer(alternatives: readonly string[], before = '', after = ''): Tree<SourceLeaf> {
  return any(
    inGroups(alternatives).map((group) => leaf({ test: 'peer', regex: `(?s)${SCHEME}${before}${oneOf(group)}${after}` })),
  );
}

/** RE2 for a value with its wildcard, and what the wildcard stands for. */
function pattern(value: PolicyMatch, wildcard: string): string {
  switch (value.kind) {
    case 'exact':
      return escapeRegex(value.value);
    case 'prefix':
      return escapeRegex(value.value) + wildcard;
    case 'suffix':
      return wildcard + escapeRegex(value.value);
    case 'present':
      return '.+';
    case 'template':
      // Admission gives templates for paths only; as a literal it matches no SPIFFE ID.
      return escapeRegex(value.value);
    default:
      return value satisfies never;
  }
}

/** A principal may be written with or without its scheme. */
function withoutScheme(value: PolicyMatch): PolicyMatch {
  if ((value.kind === 'exact' || value.kind === 'prefix') && value.value.startsWith(SCHEME))
    return { kind: value.kind, value: value.value.slice(SCHEME.length) };
  return value;
}

/** The peer is one of these principals (`TRUST-DOMAIN/ns/NS/sa/SA`), trust-domain aliases included. */
export function principals(values: readonly PolicyMatch[], meshConfig: MeshConfig): Tree<SourceLeaf> {
  return peer(values.flatMap((value) => withAliases(withoutScheme(value), meshConfig)).map((value) => pattern(value, '.*')));
}

/** The peer is of one of these namespaces. The wildcard may cross `/`, as in Istio, whose expression ends in `/ns/X/.*`. */
export function namespaces(values: readonly PolicyMatch[]): Tree<SourceLeaf> {
  const names = values.map((value) => (value.kind === 'present' ? '.*' : pattern(value, '.*')));
  return peer(names, '[^/]+(?:/.*)?/ns/', '/.*');
}

/**
 * The peer is one of these service accounts, `NAMESPACE/NAME` or a name in the policy's own namespace. Further path
 * segments around `ns` and `sa` are allowed, as Istio allows them. There are no wildcards here: `wildcard` says what
 * a value with one counts as.
 */
export function serviceAccounts(
  values: readonly PolicyMatch[],
  ownNamespace: string,
  wildcard: Tree<SourceLeaf>,
): Tree<SourceLeaf> {
  const exact: string[] = [];
  for (const value of values) {
    if (value.kind !== 'exact') continue;
    const slash = value.value.indexOf('/');
    const namespace = slash < 0 ? ownNamespace : value.value.slice(0, slash);
    const name = value.value.slice(slash + 1);
    exact.push(`.+/ns/${escapeRegex(namespace)}/(?:.+/)?sa/${escapeRegex(name)}(?:/.+)?`);
  }
  return any([peer(exact), ...(exact.length < values.length ? [wildcard] : [])]);
}
