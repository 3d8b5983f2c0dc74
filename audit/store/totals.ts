import type { EdgeKey } from '../model/edge.ts';
import { dimensionsOf, type StoreFilter } from '../model/edge-filter.ts';
import { MINUTE_MS, type Segment } from './levels.ts';
import { integer } from './row.ts';
import type { Session, SqlValue } from './sql.ts';
import { SELECT_GROUP, TOTAL, TOTAL_GROUP } from './statements.ts';
import type { Period } from './store.ts';

type GroupRow = readonly SqlValue[];

/** In the order of GROUP_COLUMNS. */
function groupOf(key: EdgeKey): GroupRow {
  const { sourceNamespace, destinationNamespace, serviceNamespace, wouldDeny } = dimensionsOf(key);
  return [
    sourceNamespace,
    destinationNamespace,
    serviceNamespace,
    key.decision,
    key.verdict === 'unreached' ? 'unreached' : '',
    Number(key.mtls),
    Number(wouldDeny),
  ];
}

const MOST_KNOWN = 50_000;

/** Row ids of groups that were written before. To be emptied when a transaction fails, since it may hold ids of that one. */
export class Groups {
  readonly #known = new Map<string, number>();

  clear(): void {
    this.#known.clear();
  }

  /** Adds to the totals what a batch has of each key and minute. Groups are made, and totals locked, in one order by all writers. */
  async write(session: Session, counted: Iterable<readonly [key: EdgeKey, minute: number, count: number]>): Promise<void> {
    const named = [...counted].map(([key, minute, count]) => {
      const row = groupOf(key);
      return { row, text: JSON.stringify(row), minute, count };
    });
    if (this.#known.size > MOST_KNOWN) this.#known.clear();
    await this.#learn(session, new Map(named.map(({ text, row }) => [text, row])));
    const sums = new Map<string, readonly [group: number, minute: number, count: number]>();
    for (const { text, minute, count } of named) {
      const group = this.#known.get(text);
      if (group === undefined) throw new Error('a group of edges has no row id');
      const place = `${group} ${minute}`;
      sums.set(place, [group, minute, count + (sums.get(place)?.[2] ?? 0)]);
    }
    await session.add(
      TOTAL,
      [...sums.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1]),
    );
  }

  async #learn(session: Session, wanted: ReadonlyMap<string, GroupRow>): Promise<void> {
    const unknown = [...wanted].filter(([text]) => !this.#known.has(text)).sort(([a], [b]) => (a < b ? -1 : 1));
    if (unknown.length === 0) return;
    await session.add(
      TOTAL_GROUP,
      unknown.map(([, row]) => row),
    );
    for (const [text, row] of unknown) {
      const [found] = await session.all(SELECT_GROUP, ...row);
      if (found !== undefined) this.#known.set(text, integer(found, 'id'));
    }
  }
}

/** Whether totals can answer: by namespaces and verdicts, but not by anything that tells edges of the same namespaces apart. */
export function answeredByTotals(filter: StoreFilter | undefined): boolean {
  const { workload, identity, service, from = {}, to = {} } = filter ?? {};
  return [workload, identity, service, from.workload, from.identity, to.workload, to.identity].every((one) => one === undefined);
}

/** Parts a segment of minutes into those that lie wholly in a period, of which totals tell, and those that it cuts. */
export function wholeMinutes(
  { from, to }: Segment,
  { since, until }: Period,
): { readonly whole: Segment | undefined; readonly cut: readonly Segment[] } {
  const first = Math.max(from, since === undefined ? from : Math.ceil(since / MINUTE_MS));
  const last = Math.min(to, until === undefined ? to : Math.floor(until / MINUTE_MS) - 1);
  const segment = (begin: number, end: number): readonly Segment[] =>
    begin > end ? [] : [{ level: 'minute', from: begin, to: end }];
  if (first > last) return { whole: undefined, cut: segment(from, to) };
  return { whole: { level: 'minute', from: first, to: last }, cut: [...segment(from, first - 1), ...segment(last + 1, to)] };
}

/** Totals of minutes that are no longer kept, and groups of which nothing is left. */
export async function forgetTotals(session: Session, minutesFrom: number, most: number): Promise<void> {
  await session.run(
    'DELETE FROM total WHERE (edge_group, minute) IN (SELECT edge_group, minute FROM total WHERE minute < ? ORDER BY minute LIMIT ?)',
    minutesFrom,
    most,
  );
  await session.run(
    `DELETE FROM total_group WHERE id IN (SELECT g.id FROM total_group AS g
     WHERE NOT EXISTS (SELECT 1 FROM total AS b WHERE b.edge_group = g.id) LIMIT ?)`,
    most,
  );
}
