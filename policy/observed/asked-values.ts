import { withoutScheme } from '../../ca/identity/spiffe-id.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Atom } from '../access/atom.ts';
import { normalizedPath } from '../evaluate/path.ts';
import { isTemplate, leadOf } from './template.ts';

/** What stands behind the trust domain, which has more than one name; of an ID without a path the whole. */
function tailOf(id: string): string {
  const slash = id.indexOf('/');
  return slash < 0 ? id : id.slice(slash);
}

const portless = (host: string): string => host.toLowerCase().replace(/:[0-9]*$/s, '');

/** The last of `NAMESPACE/NAME`; undefined where a name has slashes, and so is no segment of an ID. */
function accountOf(text: string): string | undefined {
  const slash = text.indexOf('/');
  const name = text.slice(slash + 1);
  return name.includes('/') ? undefined : name;
}

/**
 * What a call must have, too, for this value of a policy to hold, as a key that is looked up; undefined: it has to be asked of each call.
 * Only values without wildcards have one.
 */
function keyOf({ field, text }: Atom): string | undefined {
  if (/[*{]/.test(text)) return undefined;
  switch (field) {
    case 'principals':
    case 'source.principal':
      return `id ${tailOf(withoutScheme(text))}`;
    case 'namespaces':
    case 'source.namespace':
      return text.includes('/') ? undefined : `segment ${text}`;
    case 'serviceAccounts':
    case 'source.serviceAccount': {
      const name = accountOf(text);
      return name === undefined ? undefined : `segment ${name}`;
    }
    case 'hosts':
      return `host ${portless(text)}`;
    default:
      return undefined;
  }
}

/** The keys that a value of a call has. */
function keysOf(dimension: string, value: string): readonly string[] {
  if (dimension === 'host') return [`host ${portless(value)}`];
  if (dimension !== 'caller') return [];
  const id = withoutScheme(value);
  return [`id ${tailOf(id)}`, ...new Set(id.split('/').map((segment) => `segment ${segment}`))];
}

/** The lowest place at which a text that is not below `wanted` stands. */
function placeOf(sorted: readonly string[], wanted: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? '') < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

function listed<K>(lists: Map<K, number[]>, key: K, at: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [at]);
  else list.push(at);
}

/**
 * Of the values that policies have in one dimension, those that have to be asked of a call: all others are false for it. What is asked and
 * what comes of it is policy/evaluate's to say; here stands only what a value cannot do without, and in doubt it is asked.
 */
export class AskedValues {
  readonly #dimension: string;
  readonly #all: readonly number[];
  readonly #always: number[] = [];
  readonly #byKey = new Map<string, number[]>();
  /** Of paths: by what they begin with, up to the first wildcard. */
  readonly #byLead = new Map<string, number[]>();
  readonly #leads: readonly string[];
  readonly #lengths: readonly number[];

  constructor(dimension: string, atoms: readonly Atom[]) {
    this.#dimension = dimension;
    this.#all = atoms.map((_, at) => at);
    for (const [at, atom] of atoms.entries()) {
      if (atom.field === 'paths') {
        listed(this.#byLead, /^[^*{]*/.exec(atom.text)?.[0] ?? '', at);
        continue;
      }
      const key = keyOf(atom);
      if (key === undefined) this.#always.push(at);
      else listed(this.#byKey, key, at);
    }
    this.#leads = [...this.#byLead.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    this.#lengths = [...new Set(this.#leads.map(({ length }) => length))].sort((a, b) => a - b);
  }

  /** Each at most once. */
  of(value: string | undefined, { pathNormalization }: MeshConfig): readonly number[] {
    if (value === undefined || this.#always.length === this.#all.length) return this.#all;
    const found = [...this.#always];
    for (const key of keysOf(this.#dimension, value)) found.push(...(this.#byKey.get(key) ?? []));
    if (this.#leads.length === 0) return found;
    const template = isTemplate(value);
    const lead = template ? leadOf(value) : normalizedPath(value, pathNormalization);
    for (const length of this.#lengths) {
      if (length > lead.length) break;
      found.push(...(this.#byLead.get(lead.slice(0, length)) ?? []));
    }
    if (!template) return found;
    for (let at = placeOf(this.#leads, lead); this.#leads[at]?.startsWith(lead) === true; at++) {
      const longer = this.#leads[at] ?? '';
      if (longer.length > lead.length) found.push(...(this.#byLead.get(longer) ?? []));
    }
    return found;
  }
}
