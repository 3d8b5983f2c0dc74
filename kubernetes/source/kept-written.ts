import type { Admitted } from '../../mesh/admit/mesh-object.ts';
import { type Node, nodeOf } from '../../mesh/admit/node.ts';
import type { Written } from '../../mesh/admit/written.ts';

/** Kinds of which a cluster has many, and whose trees are looked at once: a tree takes ten times what its text does. */
const MANY: ReadonlySet<string> = new Set([
  'CronJob',
  'DaemonSet',
  'Deployment',
  'EndpointSlice',
  'Job',
  'Namespace',
  'Node',
  'Pod',
  'ServiceAccount',
  'StatefulSet',
]);

/** The tree of an object, made of its text again where somebody looks at it later. */
class Tree {
  readonly #text: string;
  #node: WeakRef<Node>;

  constructor(text: string, node: Node) {
    this.#text = text;
    this.#node = new WeakRef(node);
  }

  get node(): Node {
    const there = this.#node.deref();
    if (there !== undefined) return there;
    const made = nodeOf(JSON.parse(this.#text), 0);
    this.#node = new WeakRef(made);
    return made;
  }
}

export interface Kept {
  readonly admitted: Admitted | undefined;
  readonly written: readonly Written[];
}

/**
 * What is known of an object, without its tree where there are many of the kind.
 * @param text the object as JSON, of which `node` is the tree
 */
export function kept(kind: string, text: string, node: Node, { admitted, written }: Kept): Kept {
  if (!MANY.has(kind)) return { admitted, written };
  const tree = new Tree(text, node);
  return {
    admitted: admitted && withTree(admitted, tree),
    written: written.map((one) => withTree(one, tree)),
  };
}

function withTree<One extends { readonly node: Node }>(one: One, tree: Tree): One {
  return Object.defineProperty({ ...one }, 'node', { get: () => tree.node, enumerable: true });
}
