import type { Node } from './node.ts';

/** One Kubernetes object as written. `offset` lines of the file stand before the text whose first line is line 1 of `node`. */
export interface Document {
  readonly file: string;
  readonly offset: number;
  readonly node: Node;
}
