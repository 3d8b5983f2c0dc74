import { addUses, type CertificateUse, OTHER_CERTIFICATES } from '../model/certificate-use.ts';
import { integer, type Row } from './row.ts';
import type { Session, SqlValue } from './sql.ts';
import { CERTIFICATE_USE } from './statements.ts';

const OTHER = new Uint8Array(0);

function bytesOf(serial: string): Uint8Array {
  if (serial === OTHER_CERTIFICATES) return OTHER;
  return Buffer.from(serial.length % 2 === 0 ? serial : `0${serial}`, 'hex');
}

function serialOfRow(row: Row): string {
  const bytes = row['serial'];
  if (!(bytes instanceof Uint8Array) || bytes.length === 0) return OTHER_CERTIFICATES;
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^0+(?=.)/, '');
}

/** What a batch adds to the table of certificates: one row for each edge, hour and certificate. */
export class UseSums {
  readonly #rows = new Map<string, readonly [edge: number, hour: number, use: CertificateUse]>();

  add(edge: number, hour: number, uses: readonly CertificateUse[]): void {
    for (const use of uses) {
      const place = `${edge} ${hour} ${use.serial}`;
      const [sum = use] = addUses(this.#rows.has(place) ? [this.#rows.get(place)?.[2] ?? use] : undefined, [use]) ?? [];
      this.#rows.set(place, [edge, hour, sum]);
    }
  }

  /** In the order in which all writers lock rows. */
  async write(session: Session): Promise<void> {
    const rows = [...this.#rows.values()].sort(
      ([edge, hour, use], [otherEdge, otherHour, other]) =>
        edge - otherEdge || hour - otherHour || (use.serial < other.serial ? -1 : 1),
    );
    await session.add(
      CERTIFICATE_USE,
      rows.map(([edge, hour, { serial, count, firstSeen, lastSeen }]) => [
        edge,
        hour,
        bytesOf(serial),
        count,
        firstSeen,
        lastSeen,
      ]),
    );
  }
}

/** The certificates of edges over a period, by id of the edge: of hours and days that the period cuts, all that was counted in them. */
export async function usesOf(
  session: Session,
  condition: { readonly sql: string; readonly values: readonly SqlValue[] } | undefined,
  since: number,
  until: number,
): Promise<ReadonlyMap<number, readonly CertificateUse[]>> {
  const uses = new Map<number, CertificateUse[]>();
  const rows = await session.all(
    `SELECT c.edge AS edge, c.serial AS serial, CAST(sum(c.count) AS BIGINT) AS count, min(c.first_seen) AS first_seen, max(c.last_seen) AS last_seen
     FROM edge CROSS JOIN certificate_use AS c
     WHERE ${condition === undefined ? '' : `${condition.sql} AND `}c.edge = edge.id AND c.at BETWEEN ? AND ? AND c.last_seen >= ? AND c.first_seen < ?
     GROUP BY c.edge, c.serial ORDER BY min(c.first_seen), c.serial`,
    ...(condition?.values ?? []),
    // A row of a day stands under its first hour.
    Math.floor(since / 3_600_000) - 23,
    Math.floor(until / 3_600_000),
    since,
    until,
  );
  for (const row of rows) {
    const edge = integer(row, 'edge');
    const list = uses.get(edge) ?? [];
    uses.set(edge, list);
    list.push({
      serial: serialOfRow(row),
      count: integer(row, 'count'),
      firstSeen: integer(row, 'first_seen'),
      lastSeen: integer(row, 'last_seen'),
    });
  }
  return uses;
}

/** Of the edges after one up to another: hours that are kept by day from now on are added up, and what is older than days are kept goes. */
export async function foldUses(
  session: Session,
  [after, upTo]: readonly [number, number],
  { hoursFrom, daysFrom }: { readonly hoursFrom: number; readonly daysFrom: number },
): Promise<void> {
  const forgotten = daysFrom * 24;
  const chosen = 'FROM edge CROSS JOIN certificate_use AS c WHERE edge.id > ? AND edge.id <= ? AND c.edge = edge.id';
  const remove = `DELETE FROM certificate_use WHERE (edge, at, serial) IN (SELECT c.edge, c.at, c.serial ${chosen}`;
  if (forgotten > 0) await session.run(`${remove} AND c.at < ?)`, after, upTo, forgotten);
  const due = 'AND c.at < ? AND c.at % 24 <> 0';
  const [{ due: waiting } = { due: 0 }] = await session.all(`SELECT count(*) AS due ${chosen} ${due}`, after, upTo, hoursFrom);
  if (waiting === 0) return;
  await session.run(
    `INSERT INTO certificate_use (edge, at, serial, count, first_seen, last_seen)
     SELECT c.edge, c.at / 24 * 24, c.serial, CAST(sum(c.count) AS BIGINT), min(c.first_seen), max(c.last_seen) ${chosen} ${due}
     GROUP BY c.edge, c.at / 24 * 24, c.serial ON CONFLICT ${CERTIFICATE_USE.onConflict}`,
    after,
    upTo,
    hoursFrom,
  );
  await session.run(`${remove} ${due})`, after, upTo, hoursFrom);
}
