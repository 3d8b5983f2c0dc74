import type { EncodedSecret } from '../secret/secret.ts';
import type { Lookup } from '../secret/store.ts';

/** Secrets that come and change from outside, by name, with those who want to hear of changes. */
export class FollowedSecrets {
  readonly #secrets = new Map<string, EncodedSecret>();
  readonly #listeners = new Set<() => void>();

  lookup(name: string): Lookup {
    const secret = this.#secrets.get(name);
    return secret === undefined ? { kind: 'pending' } : { kind: 'present', secret };
  }

  put(secret: EncodedSecret): void {
    if (this.#secrets.get(secret.name)?.version === secret.version) return;
    this.#secrets.set(secret.name, secret);
    for (const listener of this.#listeners) listener();
  }

  forget(name: string): void {
    if (!this.#secrets.delete(name)) return;
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
