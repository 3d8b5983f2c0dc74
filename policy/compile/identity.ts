import type { PolicyMatch } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { escapeRegex, inGroups, oneOf } from './regex.ts';
import { type SourceLeaf, type Tree, any, leaf } from './test.ts';
import { withAliases } from './trust-domain.ts';

// Every text for identities begins with `spiffe://`, so that only a SPIFFE ID can match, and holds no comma nor any
// wildcard for one: Envoy tells several URI SANs as one text with commas. Wildcards take line breaks, so that none in a
// name steps around a DENY. One expression serves for all values of a field (a few, when there are thousands): Envoy runs
// it once, whatever their number.
const SCHEME = 'spiffe://';
const ANY = '[^,]*';
const SOME = '[^,]+';

/** Up to so many texts, comparing each costs Envoy less than one expression. */
const FEW = 4;

/** RE2 for the part of an ID that a value stands for, and the part itself when it is literal. */
interface Part {
  readonly regex: string;
  readonly literal: string | undefined;
}

/** No SPIFFE ID holds a comma, so a value that does matches none. */
function possible(value: PolicyMatch): boolean {
  return value.kind === 'present' || !value.value.includes(',');
}

function peer(parts: readonly Part[]): Tree<SourceLeaf> {
  const literals = [...new Set(parts.flatMap(({ literal }) => literal ?? []))].sort();
  if (literals.length <= FEW && parts.every(({ literal }) => literal !== undefined)) {
    return any(literals.map((literal) => leaf({ test: 'peer', text: { kind: 'exact', value: `${SCHEME}${literal}` } })));
  }
  const known = new Map(parts.map(({ regex, literal }) => [regex, literal]));
  return any(
    inGroups(parts.map(({ regex }) => regex)).map((group) => {
      const exactly = group.flatMap((regex) => known.get(regex) ?? []).map((literal) => SCHEME + literal);
      const text = { kind: 'regex', value: SCHEME + oneOf(group) } as const;
      return leaf({ test: 'peer', text, ...(exactly.length === group.length ? { exactly } : {}) });
    }),
  );
}

function expressions(alternatives: readonly string[], before = '', after = ''): Tree<SourceLeaf> {
  return any(
    inGroups(alternatives).map((group) =>
      leaf({ test: 'peer', text: { kind: 'regex', value: `${SCHEME}${before}${oneOf(group)}${after}` } }),
    ),
  );
}

/** A value with its wildcard. */
function part(value: PolicyMatch): Part {
  switch (value.kind) {
    case 'exact':
    // Admission gives templates for paths only; as a literal it matches no SPIFFE ID.
    case 'template':
      return { regex: escapeRegex(value.value), literal: value.value };
    case 'prefix':
      return { regex: escapeRegex(value.value) + ANY, literal: undefined };
    case 'suffix':
      return { regex: ANY + escapeRegex(value.value), literal: undefined };
    case 'present':
      return { regex: SOME, literal: undefined };
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
  return peer(
    values
      .filter(possible)
      .flatMap((value) => withAliases(withoutScheme(value), meshConfig))
      .map(part),
  );
}

/** The peer is of one of these namespaces. The wildcard may cross `/`, as in Istio, whose expression ends in `/ns/X/.*`. */
export function namespaces(values: readonly PolicyMatch[]): Tree<SourceLeaf> {
  const names = values.filter(possible).map((value) => (value.kind === 'present' ? ANY : part(value).regex));
  return expressions(names, `[^/,]+(?:/${ANY})?/ns/`, `/${ANY}`);
}

/** The peer is of one of these trust domains. A wildcard never crosses the `/` that ends them. */
export function trustDomains(values: readonly PolicyMatch[]): Tree<SourceLeaf> {
  const names = values.filter(possible).map((value) => part(value).regex.replaceAll('[^,]', '[^/,]'));
  return expressions(names, '', `/${ANY}`);
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
    if (value.kind !== 'exact' || !possible(value)) continue;
    const slash = value.value.indexOf('/');
    const namespace = slash < 0 ? ownNamespace : value.value.slice(0, slash);
    const name = value.value.slice(slash + 1);
    exact.push(`${SOME}/ns/${escapeRegex(namespace)}/(?:${SOME}/)?sa/${escapeRegex(name)}(?:/${SOME})?`);
  }
  return any([expressions(exact), ...(values.some(({ kind }) => kind !== 'exact') ? [wildcard] : [])]);
}
