/**
 * The small language between the model and Envoy's RBAC: a tree of tests over one connection or request. Envoy splits it
 * in two, principals (who calls) and permissions (what is called); so do we.
 */
export type Tree<Leaf> =
  | { readonly op: 'always' }
  | { readonly op: 'never' }
  | { readonly op: 'all'; readonly of: readonly Tree<Leaf>[] }
  | { readonly op: 'any'; readonly of: readonly Tree<Leaf>[] }
  | { readonly op: 'not'; readonly of: Tree<Leaf> }
  | { readonly op: 'leaf'; readonly leaf: Leaf };

export type Text =
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'suffix'; readonly value: string }
  /** RE2 over the whole text. */
  | { readonly kind: 'regex'; readonly value: string };

export interface AddressBlock {
  readonly address: string;
  readonly bits: number;
}

export type SourceLeaf =
  /** The SPIFFE ID of the authenticated peer; false without one. The text matches none that is in doubt. */
  | {
      readonly test: 'peer';
      readonly text: Text;
      /** The very texts that an expression stands for, where it stands for nothing else. */
      readonly exactly?: readonly string[];
    }
  /** The peer has a certificate, but not exactly one SPIFFE ID in it. */
  | { readonly test: 'doubtful-peer' }
  /** The other end of the TCP connection. */
  | { readonly test: 'direct-address'; readonly block: AddressBlock }
  /** The caller's address as trusted proxies tell it (X-Forwarded-For). */
  | { readonly test: 'remote-address'; readonly block: AddressBlock }
  /** A claim of the verified JSON web token; `list`: a list of texts or one text. */
  | { readonly test: 'claim'; readonly path: readonly string[]; readonly list: boolean; readonly text: Text };

export type OperationLeaf =
  | {
      readonly test: 'header';
      readonly name: string;
      readonly ignoreCase: boolean;
      readonly text: Text | { readonly kind: 'present' };
    }
  /** The path without its query. */
  | { readonly test: 'path'; readonly text: Text }
  | { readonly test: 'destination-address'; readonly block: AddressBlock }
  | { readonly test: 'destination-port'; readonly port: number }
  | { readonly test: 'server-name'; readonly text: Text }
  /** What an Envoy filter wrote about the request; `list`: a list that holds the text. */
  | { readonly test: 'metadata'; readonly filter: string; readonly key: string; readonly list: boolean; readonly text: Text };

/** One rule of one policy, ready to be written down. */
export interface CompiledRule {
  readonly name: string;
  readonly source: Tree<SourceLeaf>;
  readonly operation: Tree<OperationLeaf>;
}

const ALWAYS = Object.freeze({ op: 'always' } as const);
const NEVER = Object.freeze({ op: 'never' } as const);

export function always(): { readonly op: 'always' } {
  return ALWAYS;
}

export function never(): { readonly op: 'never' } {
  return NEVER;
}

export function leaf<Leaf>(test: Leaf): Tree<Leaf> {
  return { op: 'leaf', leaf: test };
}

export function not<Leaf>(tree: Tree<Leaf>): Tree<Leaf> {
  if (tree.op === 'always') return NEVER;
  if (tree.op === 'never') return ALWAYS;
  return tree.op === 'not' ? tree.of : { op: 'not', of: tree };
}

/** True when all hold; of none, always. */
export function all<Leaf>(trees: readonly Tree<Leaf>[]): Tree<Leaf> {
  const kept = trees.filter((tree) => tree.op !== 'always');
  if (kept.some((tree) => tree.op === 'never')) return NEVER;
  const [first, ...rest] = kept;
  if (first === undefined) return ALWAYS;
  return rest.length === 0 ? first : { op: 'all', of: kept };
}

/** True when one holds; of none, never. */
export function any<Leaf>(trees: readonly Tree<Leaf>[]): Tree<Leaf> {
  const kept = trees.filter((tree) => tree.op !== 'never');
  if (kept.some((tree) => tree.op === 'always')) return ALWAYS;
  const [first, ...rest] = kept;
  if (first === undefined) return NEVER;
  return rest.length === 0 ? first : { op: 'any', of: kept };
}
