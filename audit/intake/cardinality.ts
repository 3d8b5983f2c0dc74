export const OTHER = '{other}';

/**
 * Bounds the distinct values that callers can make us store: the first `perScope` values of a scope are kept, later ones
 * become `{other}`. Scopes are bounded, too; past `scopes` a new scope keeps nothing. Owned by one intake, filled for
 * the life of the process.
 */
export class Cardinality {
  readonly #seen = new Map<string, Set<string>>();
  readonly #perScope: number;
  readonly #scopes: number;

  constructor(limits: { readonly perScope: number; readonly scopes: number }) {
    this.#perScope = limits.perScope;
    this.#scopes = limits.scopes;
  }

  bound(scope: string, value: string): string {
    let seen = this.#seen.get(scope);
    if (!seen) {
      if (this.#seen.size >= this.#scopes) return OTHER;
      this.#seen.set(scope, (seen = new Set()));
    }
    if (seen.has(value)) return value;
    if (seen.size >= this.#perScope) return OTHER;
    seen.add(value);
    return value;
  }
}
