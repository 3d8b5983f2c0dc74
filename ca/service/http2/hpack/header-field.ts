/** One character for each octet, as they came: which names and values HTTP allows is for the reader to say. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** What a field counts for in a table or a list beside its octets (RFC 7541, section 4.1; RFC 9113, section 6.5.2). */
const OVERHEAD = 32;

export function sizeOf({ name, value }: HeaderField): number {
  return name.length + value.length + OVERHEAD;
}
