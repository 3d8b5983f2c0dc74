import type { EncodedSecret } from './secret.ts';

/** What there is under a name. `pending`: the name is served, but its first value is not there yet. */
export type Lookup =
  { readonly kind: 'present'; readonly secret: EncodedSecret } | { readonly kind: 'pending' } | { readonly kind: 'absent' };

/** The secrets of one workload, as a stream sees them. */
export interface SecretView {
  names(): readonly string[];
  lookup(name: string): Lookup;
}

/** The secrets of one workload. Written by its keeper, read by its streams, which are told of every change. */
export class SecretStore implements SecretView {
  readonly #secrets: Map<string, EncodedSecret | undefined>;
  readonly #listeners = new Set<() => void>();

  constructor(names: readonly string[]) {
    this.#secrets = new Map(names.map((name) => [name, undefined]));
  }

  names(): readonly string[] {
    return [...this.#secrets.keys()];
  }

  lookup(name: string): Lookup {
    if (!this.#secrets.has(name)) return { kind: 'absent' };
    const secret = this.#secrets.get(name);
    return secret === undefined ? { kind: 'pending' } : { kind: 'present', secret };
  }

  /** Sets a secret of one of the names given at construction, and tells the listeners when it differs from the last. */
  put(secret: EncodedSecret): void {
    if (!this.#secrets.has(secret.name)) throw new Error(`no secret named ${secret.name} is served here`);
    if (this.#secrets.get(secret.name)?.version === secret.version) return;
    this.#secrets.set(secret.name, secret);
    for (const listener of this.#listeners) listener();
  }

  /** Returns the function that ends the subscription. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
