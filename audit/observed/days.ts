import type { StoreFilter } from '../model/edge-filter.ts';
import { keyText } from '../model/edge.ts';
import type { Observed, StoreReader } from '../store/store.ts';
import type { DaysByKey } from './calls.ts';

const DAY_MS = 86_400_000;
/** Who was seen before that long is not asked about: its days could not all be counted. */
const MOST_DAYS = 92;

/**
 * On how many days (UTC) there were calls of each edge that was observed; a question of the store for each day. Edges that began before the
 * time that is looked at are left out.
 */
export async function daysByKey(
  store: Pick<StoreReader, 'query'>,
  { edges }: Pick<Observed, 'edges'>,
  period: { readonly until: number; readonly filter?: StoreFilter },
): Promise<DaysByKey> {
  const earliest = (Math.floor(period.until / DAY_MS) - MOST_DAYS + 1) * DAY_MS;
  const counted = edges.filter(({ tally }) => tally.firstSeen >= earliest);
  const days = new Map<string, number>(counted.map(({ key }) => [keyText(key), 0]));
  const first = counted.reduce((least, { tally }) => Math.min(least, tally.firstSeen), period.until);
  for (let day = Math.floor(first / DAY_MS) * DAY_MS; day < period.until && days.size > 0; day += DAY_MS) {
    const found = await store.query({ since: day, until: Math.min(day + DAY_MS, period.until), filter: period.filter });
    for (const { key } of found.edges) {
      const text = keyText(key);
      const before = days.get(text);
      if (before !== undefined) days.set(text, before + 1);
    }
  }
  return days;
}
