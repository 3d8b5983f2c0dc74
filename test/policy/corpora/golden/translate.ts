import { isRecord } from './record.ts';

/**
 * Names and numbers of a case that cannot be tried on one machine, in others that can. The same on both sides, so that what is compared
 * stays the same: addresses become loopback addresses, ports become free ones, and texts that no request can carry lose their brackets.
 */
export class Translation {
  readonly #networks = new Map<string, number>();
  readonly #ports = new Map<number, number>();
  readonly #free: readonly number[];

  /** @param free ports that nobody listens on */
  constructor(free: readonly number[]) {
    this.#free = free;
  }

  /** The ports in use, as translated. */
  get ports(): readonly number[] {
    return [...this.#ports.values()];
  }

  port(number: number): number {
    const known = this.#ports.get(number);
    if (known !== undefined) return known;
    const made = this.#free[this.#ports.size];
    if (made === undefined) throw new RangeError('more ports are needed');
    this.#ports.set(number, made);
    return made;
  }

  /** Blocks of at least 16 bits keep their shape. */
  #address(text: string): string | undefined {
    const [, a, b, rest, bits] = /^(\d+)\.(\d+)\.(\d+\.\d+)(\/\d+)?$/.exec(text) ?? [];
    if (a === undefined || b === undefined || rest === undefined) return undefined;
    const network = `${a}.${b}`;
    const index = this.#networks.get(network) ?? this.#networks.size + 1;
    this.#networks.set(network, index);
    return `127.${index}.${rest}${bits ?? ''}`;
  }

  text(text: string): string {
    const address = this.#address(text);
    if (address !== undefined) return address;
    return text.replace(
      /rule\\?\[(\d)\\?\]-(from|to)\\?\[(\d)\\?\]-(\w+)\\?\[(\d)\\?\]/g,
      (_, rule: string, side: string, entry: string, field: string, value: string) =>
        `${field === 'path' ? '/' : ''}rule${rule}-${side}${entry}-${field}-${value}`,
    );
  }

  #at(key: string, value: unknown): unknown {
    if ((key === 'ports' || key === 'notPorts') && Array.isArray(value))
      return value.map((port) => String(this.port(Number(port))));
    return key === 'destinationPort' && typeof value === 'number' ? this.port(value) : this.of(value);
  }

  /** Any value of a policy, or of Envoy's configuration. */
  of(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map((item) => this.of(item));
    if (!isRecord(value)) return value;
    const ports = value['key'] === 'destination.port';
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [
        key,
        this.#at(ports && (key === 'values' || key === 'notValues') ? 'ports' : key, inner),
      ]),
    );
  }
}
