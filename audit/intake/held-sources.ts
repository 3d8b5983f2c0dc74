import { addEdges, type Edge, keyText } from '../model/edge.ts';
import type { Loss } from '../model/loss.ts';
import type { Receipt } from '../store/store.ts';
import type { Follower } from './ledger.ts';

interface Held {
  /** What the store has, as far as is known here. */
  stored: number;
  upTo: number;
  edges: Map<string, Edge>;
  losses: readonly Loss[];
  /** A part of it is being written. */
  writing: boolean;
  readonly followers: Set<Follower>;
}

/** What is held of one source, taken out to be written. */
export interface Part {
  readonly receipt: Receipt;
  readonly edges: ReadonlyMap<string, Edge>;
  readonly losses: readonly Loss[];
}

/** Edges of one minute and key are added up under this. */
export function placeOf(edge: Edge): string {
  return `${edge.minute} ${keyText(edge.key)}`;
}

/**
 * What was taken of each source and is not in the store yet: kept apart by source, so that it can be told which messages a batch holds, and
 * so that what another replica has stored can be dropped.
 */
export class HeldSources {
  readonly #sources = new Map<string, Held>();
  /** Sources of which something is to be written, in the order in which they came. */
  readonly #unwritten = new Set<string>();
  #edges = 0;

  /** Edges that are held. */
  get size(): number {
    return this.#edges;
  }

  get hasUnwritten(): boolean {
    return this.#unwritten.size > 0;
  }

  /** What is known of the store's sequence; undefined for a source that nothing is known of. */
  storedOf(source: string): number | undefined {
    return this.#sources.get(source)?.stored;
  }

  /** `stored`: what the store says, for a source that nothing is known of. */
  follow(source: string, follower: Follower, stored: number): () => void {
    const held = this.#sources.get(source) ?? newHeld(stored);
    this.#sources.set(source, held);
    held.followers.add(follower);
    return () => {
      held.followers.delete(follower);
      if (this.#sources.get(source) === held) this.#forget(source, held);
    };
  }

  isNew(source: string, sequence: number): boolean {
    const held = this.#sources.get(source);
    return held !== undefined && held.followers.size > 0 && sequence > held.upTo;
  }

  /** To be asked with a new sequence only. */
  take(source: string, sequence: number, edges: readonly Edge[], losses: readonly Loss[]): void {
    const held = this.#sources.get(source);
    if (held === undefined) return;
    held.upTo = sequence;
    this.#put(held, edges);
    if (losses.length > 0) held.losses = [...held.losses, ...losses];
    this.#unwritten.add(source);
  }

  /** Whole sources, until there are about as many edges and receipts as wanted. To be answered with one of the three methods below. */
  takeOut(wanted: number): readonly Part[] {
    const parts: Part[] = [];
    let size = 0;
    for (const source of this.#unwritten) {
      if (size >= wanted) break;
      const held = this.#sources.get(source);
      this.#unwritten.delete(source);
      if (held === undefined) continue;
      const { edges, losses, stored: after, upTo } = held;
      size += edges.size + 1;
      this.#edges -= edges.size;
      held.edges = new Map();
      held.losses = [];
      held.writing = true;
      parts.push({ receipt: { source, after, upTo }, edges, losses });
    }
    return parts;
  }

  stored(parts: readonly Part[]): void {
    for (const { receipt } of parts) {
      const held = this.#sources.get(receipt.source);
      if (held === undefined) continue;
      held.stored = receipt.upTo;
      held.writing = false;
      for (const follower of held.followers) follower.stored(receipt.upTo);
      this.#forget(receipt.source, held);
    }
  }

  putBack(parts: readonly Part[]): void {
    for (const { receipt, edges, losses } of parts) {
      const held = this.#sources.get(receipt.source);
      if (held === undefined) continue;
      held.writing = false;
      this.#put(held, [...edges.values()]);
      held.losses = [...losses, ...held.losses];
      this.#unwritten.add(receipt.source);
    }
  }

  /** Somebody else has stored some of it, and gets the rest. */
  drop(source: string): void {
    const held = this.#sources.get(source);
    if (held === undefined) return;
    this.#sources.delete(source);
    this.#unwritten.delete(source);
    this.#edges -= held.edges.size;
    for (const follower of held.followers) follower.dropped();
  }

  #put(held: Held, edges: readonly Edge[]): void {
    const before = held.edges.size;
    for (const edge of edges) {
      const at = placeOf(edge);
      const known = held.edges.get(at);
      held.edges.set(at, known === undefined ? edge : addEdges(known, edge));
    }
    this.#edges += held.edges.size - before;
  }

  /** What nobody follows and the store has; who comes back asks the store, since another replica may have got some meanwhile. */
  #forget(source: string, held: Held): void {
    if (held.followers.size === 0 && !held.writing && !this.#unwritten.has(source)) this.#sources.delete(source);
  }
}

function newHeld(stored: number): Held {
  return { stored, upTo: stored, edges: new Map(), losses: [], writing: false, followers: new Set() };
}
