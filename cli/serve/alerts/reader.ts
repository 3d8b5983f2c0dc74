import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import { parseDuration } from '../../../mesh/admit/duration.ts';

export type Path = readonly (string | number)[];
type Fields = Readonly<Record<string, unknown>>;

export const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads values by where they stand and says what is wrong with them, with file and line. */
export class Reader {
  readonly #faults: { readonly line: number; readonly text: string }[] = [];
  readonly #file: string;
  readonly #text: string;
  readonly #counter = new LineCounter();
  readonly #document;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
    // Aliases are bounded, so that a small file cannot become a large one.
    this.#document = parseDocument(text, { lineCounter: this.#counter });
    for (const { message, pos } of this.#document.errors)
      this.#faultAt(pos[0], message.split('\n', 1)[0] ?? '', 'repair the YAML');
  }

  /** In the order of their lines. */
  get faults(): readonly string[] {
    return [...this.#faults].sort((a, b) => a.line - b.line).map(({ text }) => text);
  }

  get file(): string {
    return this.#file;
  }

  value(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      this.fault([], error instanceof Error ? error.message : String(error), 'use fewer aliases');
      return undefined;
    }
  }

  /** At the key of what is meant, or at the nearest thing around it that is there. */
  fault(path: Path, message: string, hint: string): void {
    let at = 0;
    for (let length = path.length; length >= 0; length--) {
      const node = length === 0 ? this.#document.contents : this.#document.getIn(path.slice(0, length), true);
      if (!isNode(node)) continue;
      const parent =
        length === 0 ? undefined : length === 1 ? this.#document.contents : this.#document.getIn(path.slice(0, length - 1), true);
      const last = path[length - 1];
      const pair = isMap(parent) ? parent.items.find(({ key }) => isScalar(key) && key.value === last) : undefined;
      const from = isNode(pair?.key) ? pair.key.range : node.range;
      at = from?.[0] ?? 0;
      break;
    }
    this.#faultAt(at, `${path.length === 0 ? '' : `${path.join('.')}: `}${message}`, hint);
  }

  #faultAt(offset: number, message: string, hint: string): void {
    const line = Math.max(1, this.#counter.linePos(Math.min(offset, this.#text.length)).line);
    this.#faults.push({ line, text: `${this.#file}:${String(line)}: error: ${message} (${hint})` });
  }

  /** The fields there; other names than these are faults. */
  fields(value: unknown, path: Path, names: readonly string[]): Fields {
    if (value === null || value === undefined) return {};
    if (!isFields(value)) {
      this.fault(path, 'must have fields', `write some of ${names.join(', ')}`);
      return {};
    }
    for (const name of Object.keys(value))
      if (!names.includes(name)) this.fault([...path, name], 'is no field that is known', `known are ${names.join(', ')}`);
    return value;
  }

  duration(value: unknown, path: Path, otherwise: number, least: number, most: number): number {
    if (value === undefined) return otherwise;
    const ms = typeof value === 'string' ? parseDuration(value) : undefined;
    if (ms !== undefined && ms >= least && ms <= most) return ms;
    this.fault(path, 'is no duration that can be meant', `write one from ${least / 1000}s to ${most / 3_600_000}h, such as 5m`);
    return otherwise;
  }

  number(value: unknown, path: Path, otherwise: number, least: number, most: number): number {
    if (value === undefined) return otherwise;
    if (typeof value === 'number' && value >= least && value <= most) return value;
    this.fault(path, 'is no number that can be meant', `write one from ${least} to ${most}`);
    return otherwise;
  }

  names(value: unknown, path: Path): readonly string[] | undefined {
    if (value === undefined) return undefined;
    if (
      Array.isArray(value) &&
      value.length > 0 &&
      value.every((name): name is string => typeof name === 'string' && NAME.test(name))
    )
      return value;
    this.fault(path, 'must be a list of names of namespaces', 'such as [payments, users]');
    return undefined;
  }
}
