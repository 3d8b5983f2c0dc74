class Node<V> {
  readonly next = new WeakMap<object, Node<V>>();
  made: { readonly value: V } | undefined;
}

/**
 * A pure function of some objects that is worked out once for the same ones, and forgotten with any of them. The objects must not
 * change, and what is made is shared: so must it not.
 */
export function keptBy<Keys extends readonly object[], V>(make: (...keys: Keys) => V): (...keys: Keys) => V {
  const root = new Node<V>();
  return (...keys) => {
    let node = root;
    for (const key of keys) {
      const next: Node<V> = node.next.get(key) ?? new Node<V>();
      node.next.set(key, next);
      node = next;
    }
    node.made ??= { value: make(...keys) };
    return node.made.value;
  };
}
