/** A transition, whatever else it says. */
export interface HistoryEntry {
  readonly number: number;
}

/** So many transitions are in one ConfigMap. */
const PER_PIECE = 50;
/** So that a piece stays below what the API server takes. */
const LARGEST_ENTRY = 16 * 1024;
const KEPT_NAMES = 100;

export function pieceOf(number: number): number {
  return Math.floor((number - 1) / PER_PIECE);
}

/** The data of one piece: an entry for each transition, for people as well. */
export function inPiece(history: readonly HistoryEntry[], piece: number): Readonly<Record<string, string>> {
  return Object.fromEntries(
    history.filter(({ number }) => pieceOf(number) === piece).map((entry) => [keyOf(entry.number), entryText(entry)]),
  );
}

/** @param count how many transitions there are: what is beyond was never done */
export function readPiece(data: Readonly<Record<string, string>>, piece: number, count: number): readonly HistoryEntry[] {
  const entries: HistoryEntry[] = [];
  const end = Math.min(count, (piece + 1) * PER_PIECE);
  for (let number = piece * PER_PIECE + 1; number <= end; number += 1) {
    const entry = parsed(data[keyOf(number)]);
    if (entry?.number !== number) return [];
    entries.push(entry);
  }
  return entries;
}

function keyOf(number: number): string {
  return `transition-${String(number).padStart(6, '0')}`;
}

/** Names of objects are many in a large namespace; the objects themselves are in the cluster's own log. */
function entryText(entry: HistoryEntry): string {
  const text = JSON.stringify(entry);
  if (text.length <= LARGEST_ENTRY || !('objects' in entry) || !Array.isArray(entry.objects)) return text;
  const names: readonly unknown[] = entry.objects;
  return JSON.stringify({ ...entry, objects: [...names.slice(0, KEPT_NAMES), `and ${names.length - KEPT_NAMES} more`] });
}

function parsed(text: string | undefined): HistoryEntry | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('number' in value) || typeof value.number !== 'number') return undefined;
    return { ...value, number: value.number };
  } catch {
    return undefined;
  }
}
