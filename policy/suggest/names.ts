import { createHash } from 'node:crypto';

/** A DNS subdomain, as Kubernetes has object names; shorter than its 253, so that a number fits behind. */
const LONGEST = 240;

/** The name itself, or its beginning and a hash of all of it. */
export function fitting(name: string): string {
  const clean = name
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, '-')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  if (clean === name && name.length <= LONGEST) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${clean.slice(0, LONGEST - 9).replace(/[^a-z0-9]+$/, '')}-${hash}`;
}

/** Gives each policy a name that no other one of its namespace has. */
export class Names {
  readonly #taken: Set<string>;

  /** @param taken `NAMESPACE/NAME` */
  constructor(taken: Iterable<string>) {
    this.#taken = new Set(taken);
  }

  give(namespace: string, wanted: string): string {
    const name = fitting(wanted);
    for (let number = 1; ; number++) {
      const one = number === 1 ? name : `${name}-${number}`;
      if (this.#taken.has(`${namespace}/${one}`)) continue;
      this.#taken.add(`${namespace}/${one}`);
      return one;
    }
  }
}
