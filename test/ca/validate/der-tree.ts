import { type Element, elements, members, soleElement } from '../../../ca/der/read.ts';
import { element } from '../../../ca/der/write.ts';

/** A DER encoding as a tree that can be changed and written again with the right lengths. */
export interface Node {
  tag: number;
  /** Children of a constructed element; of a string that holds DER (as extension values do), what is in it. */
  children: Node[] | undefined;
  value: Uint8Array;
  /** Before the children: a BIT STRING's count of unused bits. */
  prefix: Uint8Array;
}

const [BIT_STRING, OCTET_STRING] = [0x03, 0x04];

export function parseTree(der: Uint8Array): Node {
  const sole = soleElement(der);
  if (sole === undefined) throw new Error('not one DER element');
  return node(sole);
}

function node({ tag, value }: Element): Node {
  if ((tag & 0x20) !== 0)
    return { tag, value, prefix: new Uint8Array(), children: (members({ tag, value, raw: value }, tag) ?? []).map(node) };
  const inner = tag === OCTET_STRING ? elements(value) : undefined;
  const opened = inner !== undefined && inner.length === 1 && tag !== BIT_STRING ? inner : undefined;
  return { tag, value, prefix: new Uint8Array(), children: opened?.map(node) };
}

export function writeTree({ tag, value, children, prefix }: Node): Buffer {
  return children === undefined ? element(tag, value) : element(tag, prefix, ...children.map(writeTree));
}

/** All nodes, with the list that each is in. */
export function allNodes(root: Node): readonly { readonly node: Node; readonly siblings: Node[] }[] {
  const found: { node: Node; siblings: Node[] }[] = [];
  const visit = (siblings: Node[]): void => {
    for (const one of siblings) {
      found.push({ node: one, siblings });
      if (one.children !== undefined) visit(one.children);
    }
  };
  visit([root]);
  return found;
}
