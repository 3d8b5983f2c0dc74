/**
 * As much of @dagrejs/dagre as the layout uses. tsconfig.json points here: the package's own types are written for bundlers, without file
 * extensions, which "nodenext" refuses.
 */
export interface NodeLabel {
  readonly width: number;
  readonly height: number;
  /** Its middle, once it is laid out. */
  readonly x?: number;
  readonly y?: number;
}

export interface EdgeLabel {
  readonly weight?: number;
  readonly points?: readonly { readonly x: number; readonly y: number }[];
}

export declare class Graph {
  constructor(options: { readonly directed: boolean });
  setGraph(label: {
    readonly rankdir: 'LR' | 'TB';
    readonly ranksep: number;
    readonly nodesep: number;
    readonly edgesep: number;
  }): this;
  setDefaultEdgeLabel(label: () => EdgeLabel): this;
  setNode(id: string, label: NodeLabel): this;
  setEdge(from: string, to: string, label: EdgeLabel): this;
  node(id: string): NodeLabel;
  edge(from: string, to: string): EdgeLabel;
}

/** Writes places into the labels of the graph. */
export declare function layout(graph: Graph): void;
