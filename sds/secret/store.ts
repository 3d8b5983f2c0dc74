import type { EncodedSecret } from './secret.ts';

/** What there is under a name. `pending`: the name is served, but its first value is not there yet. */
export type Lookup =
  { readonly kind: 'present'; readonly secret: EncodedSecret } | { readonly kind: 'pending' } | { readonly kind: 'absent' };

/** The secrets of one workload, as a stream sees them. */
export interface SecretView {
  /** What a request that names nothing asks for. */
  names(): readonly string[];
  lookup(name: string): Lookup;
}

/** Secrets under names that are not known beforehand: SPIFFE IDs, files, Kubernetes Secrets. */
export interface SecretSource {
  /** Undefined: such names are not this source's. Asking for a name may make the source begin to follow it. */
  lookup(name: string): Lookup | undefined;
  onChange(listener: () => void): () => void;
}

/** The secrets of one workload. Written by its keeper, read by its streams, which are told of every change. */
export class SecretStore implements SecretView {
  readonly #secrets: Map<string, EncodedSecret | undefined>;
  readonly #sources: readonly SecretSource[];
  readonly #listeners = new Set<() => void>();

  constructor(names: readonly string[], sources: readonly SecretSource[] = []) {
    this.#secrets = new Map(names.map((name) => [name, undefined]));
    this.#sources = sources;
    for (const source of sources) source.onChange(() => this.#tell());
  }

  names(): readonly string[] {
    return [...this.#secrets.keys()];
  }

  lookup(name: string): Lookup {
    if (!this.#secrets.has(name)) return this.#elsewhere(name);
    const secret = this.#secrets.get(name);
    return secret === undefined ? { kind: 'pending' } : { kind: 'present', secret };
  }

  /** Sets a secret of one of the fixed names, and tells the listeners when it differs from the last. */
  put(secret: EncodedSecret): void {
    if (!this.#secrets.has(secret.name)) throw new Error(`no secret named ${secret.name} is served here`);
    if (this.#secrets.get(secret.name)?.version === secret.version) return;
    this.#secrets.set(secret.name, secret);
    this.#tell();
  }

  /** Returns the function that ends the subscription. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #elsewhere(name: string): Lookup {
    for (const source of this.#sources) {
      const found = source.lookup(name);
      if (found !== undefined) return found;
    }
    return { kind: 'absent' };
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
