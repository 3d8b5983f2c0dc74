import { Grouped } from './store/grouped.ts';
import type { Compare } from './store/order.ts';
import { type Difference, Ordered } from './store/ordered.ts';
import type { Written } from './written.ts';

export type Family = 'istio' | 'gateway-api' | 'kubernetes';

/** All that is written, as of one moment: of several objects with one name the first, since that one is in effect. */
export interface WrittenObjects {
  /** In the order of the input: the same list as long as nothing in it changes. */
  of(family: Family, kind: string): readonly Written[];
  /** By `Kind namespace/name`. */
  named(key: string): Written | undefined;
}

export function familyOf(group: string): Family {
  if (group === 'gateway.networking.k8s.io') return 'gateway-api';
  return group.endsWith('istio.io') ? 'istio' : 'kubernetes';
}

const NONE: readonly Written[] = Object.freeze([]);

/** What is written, kept while it changes: a change costs what it changes. */
export class WrittenStore {
  readonly #compare: Compare<Written>;
  readonly #byKey: Grouped<Written>;
  readonly #kinds = new Map<string, Ordered<Written>>();

  constructor(compare: Compare<Written>) {
    this.#compare = compare;
    this.#byKey = new Grouped<Written>(({ key }) => [key], compare);
  }

  patch(difference: Difference<Written>): void {
    const keys = new Set([...difference.gone, ...difference.come].map(({ key }) => key));
    const before = new Map([...keys].map((key) => [key, this.#firsts(key)]));
    this.#byKey.patch(difference);
    const gone: Written[] = [];
    const come: Written[] = [];
    for (const key of keys) {
      const [old, now] = [before.get(key) ?? NONE, this.#firsts(key)];
      for (const one of old) if (!now.includes(one)) gone.push(one);
      for (const one of now) if (!old.includes(one)) come.push(one);
    }
    const [left, arrived] = [gone, come].map((all) => Map.groupBy(all, listOf));
    for (const kind of new Set([...(left?.keys() ?? []), ...(arrived?.keys() ?? [])])) {
      const list = this.#kinds.get(kind) ?? new Ordered<Written>(this.#compare);
      this.#kinds.set(kind, list);
      list.patch({ gone: left?.get(kind) ?? [], come: arrived?.get(kind) ?? [] });
    }
  }

  /** Of those with one key the first of each API group. */
  #firsts(key: string): readonly Written[] {
    const all = this.#byKey.get(key);
    return all.length < 2 ? all : [...Map.groupBy(all, ({ group }) => group).values()].flatMap(([first]) => first ?? []);
  }

  /** As it is now; what is asked by name is answered as of then. */
  objects(): WrittenObjects {
    const lists = new Map([...this.#kinds].map(([kind, list]) => [kind, list.values]));
    return {
      of: (family, kind) => lists.get(`${family} ${kind}`) ?? NONE,
      named: (key) => this.#byKey.get(key)[0],
    };
  }
}

function listOf({ group, kind }: Written): string {
  return `${familyOf(group)} ${kind}`;
}

/** Of a list that does not change. */
export function writtenObjects(written: readonly Written[]): WrittenObjects {
  const places = new Map(written.map((one, at) => [one, at]));
  const store = new WrittenStore((one, other) => (places.get(one) ?? 0) - (places.get(other) ?? 0));
  store.patch({ gone: [], come: written });
  return store.objects();
}
