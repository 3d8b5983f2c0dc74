import { add, type Edge, type Tally } from '../model/edge.ts';
import { usesOf } from './certificate-uses.ts';
import { isLossReason } from '../model/loss.ts';
import { type Condition, conditionOf } from './filter.ts';
import type { StoreFilter } from '../model/edge-filter.ts';
import { gapsOf, type Writer } from './gaps.ts';
import { coarsestFor, LEVELS, MINUTE_MS, type Plan, planOf, type RollupState, type Segment } from './levels.ts';
import { integer, keyOf, type Row, tallyOfRow, text } from './row.ts';
import type { Session, SqlValue } from './sql.ts';
import { KEY_COLUMNS, PLAIN_SUMS, SELECT_LOSSES, TALLY_SUMS } from './statements.ts';
import { answeredByTotals, wholeMinutes } from './totals.ts';
import type { CountPoint, Counts, EdgeHistory, Observed, Period, Question, Step, TallyPoint } from './store.ts';

const FAR = Number.MAX_SAFE_INTEGER;

export async function rollupState(session: Session): Promise<RollupState> {
  const row = (await session.all('SELECT * FROM rollup'))[0] ?? {};
  return {
    hour: integer(row, 'hour'),
    hourEdge: integer(row, 'hour_edge'),
    day: integer(row, 'day'),
    dayEdge: integer(row, 'day_edge'),
    minutesFrom: integer(row, 'minutes_from'),
    hoursFrom: integer(row, 'hours_from'),
    daysFrom: integer(row, 'days_from'),
  };
}

/** So many edges at most are looked up one by one; for more it is cheaper to read all minutes of the period. */
const FEW_EDGES = 500;

interface Asked {
  readonly period: Period;
  readonly condition: Condition | undefined;
  /** Whether the condition leaves few edges. */
  readonly few: boolean;
}

async function asked(session: Session, { since, until, filter }: Question): Promise<Asked> {
  const condition = conditionOf(filter);
  const period = { since, until };
  if (condition === undefined) return { period, condition, few: false };
  const [row = {}] = await session.all(
    `SELECT count(*) AS matching FROM (SELECT edge.id FROM edge WHERE ${condition.sql} LIMIT ?) AS found`,
    ...condition.values,
    FEW_EDGES + 1,
  );
  return { period, condition, few: integer(row, 'matching') <= FEW_EDGES };
}

/**
 * FROM and WHERE of a segment, with rows of buckets as `b`. Written so that SQLite, which takes tables joined by CROSS JOIN in their order,
 * never reads a table of buckets from end to end: either each edge's rows of the time, or all of the time.
 */
export function rowsOf({ level, from, to }: Segment, { period, condition, few }: Asked, needsEdge: boolean): Condition {
  const { table, time } = LEVELS[level];
  const byTime = level === 'minute' && !few;
  const tables = byTime
    ? `${table} AS b${condition !== undefined || needsEdge ? ' CROSS JOIN edge' : ''}`
    : `edge CROSS JOIN ${table} AS b`;
  const join = byTime && condition === undefined && !needsEdge ? '' : 'b.edge = edge.id AND ';
  return {
    sql: `FROM ${tables} WHERE ${condition === undefined ? '' : `${condition.sql} AND `}${join}b.${time} BETWEEN ? AND ? AND b.last_seen >= ? AND b.first_seen < ?`,
    values: [...(condition?.values ?? []), from, to, period.since ?? 0, period.until ?? FAR],
  };
}

/** The same of the totals: their groups have the columns of edges that the condition asks for, and go by that name. */
export function totalsOf({ from, to }: Segment, { condition }: Pick<Asked, 'condition'>): Condition {
  return {
    sql: `FROM total_group AS edge CROSS JOIN total AS b WHERE ${condition === undefined ? '' : `${condition.sql} AND `}b.edge_group = edge.id AND b.minute BETWEEN ? AND ?`,
    values: [...(condition?.values ?? []), from, to],
  };
}

async function edgesOf(
  session: Session,
  plan: Plan,
  question: Asked,
  { certificates: withCertificates = false, latencies = false }: Question,
): Promise<readonly Edge[]> {
  const sums = latencies ? TALLY_SUMS : PLAIN_SUMS;
  const tallies = new Map<number, Tally>();
  for (const segment of plan.segments) {
    const { sql, values } = rowsOf(segment, question, false);
    for (const row of await session.all(`SELECT b.edge AS edge, ${sums} ${sql} GROUP BY b.edge`, ...values)) {
      const id = integer(row, 'edge');
      const known = tallies.get(id);
      tallies.set(id, known === undefined ? tallyOfRow(row) : add(known, tallyOfRow(row)));
    }
  }
  if (tallies.size === 0) return [];
  const where = question.condition === undefined ? '' : ` WHERE ${question.condition.sql}`;
  // Without the digest, which takes more memory than the rest of a row together.
  const rows = await session.all(`SELECT id, ${KEY_COLUMNS.join(', ')} FROM edge${where}`, ...(question.condition?.values ?? []));
  const { since = 0, until = FAR } = question.period;
  const uses = withCertificates ? await usesOf(session, question.condition, since, until) : undefined;
  return rows.flatMap((row): readonly Edge[] => {
    const id = integer(row, 'id');
    const tally = tallies.get(id);
    if (tally === undefined) return [];
    const certificates = uses?.get(id);
    const edge = { key: keyOf(row), minute: Math.floor(tally.firstSeen / MINUTE_MS), tally };
    return [certificates === undefined ? edge : { ...edge, certificates }];
  });
}

async function writers(session: Session): Promise<readonly Writer[]> {
  return (await session.all('SELECT * FROM writer ORDER BY id')).map((row) => ({
    started: integer(row, 'started'),
    lastWrite: integer(row, 'last_write'),
    stopped: row['stopped'] === null ? undefined : integer(row, 'stopped'),
    run: text(row, 'run'),
    direct: integer(row, 'direct') === 1,
  }));
}

/** Answers of one moment: to be asked within a reading transaction. */
export async function observe(session: Session, question: Question): Promise<Observed> {
  const plan = planOf(question, await rollupState(session));
  const [first, last] = [
    Math.floor((question.since ?? 0) / MINUTE_MS),
    question.until === undefined ? FAR : Math.floor((question.until - 1) / MINUTE_MS),
  ];
  const losses = await session.all(SELECT_LOSSES, first, last);
  const all = await writers(session);
  return {
    edges: await edgesOf(session, plan, await asked(session, question), question),
    losses: losses.flatMap((row) => {
      const reason = text(row, 'reason');
      return isLossReason(reason) ? [{ minute: integer(row, 'minute'), reason, count: integer(row, 'count') }] : [];
    }),
    gaps: gapsOf(all, question),
    precision: plan.precision,
    forgottenBefore: plan.forgottenBefore === 0 ? undefined : plan.forgottenBefore,
    ...(all.length === 0 ? {} : { recordedSince: Math.min(...all.map(({ started }) => started)) }),
  };
}

const COUNTED = Object.freeze({
  calls: undefined,
  allowed: `edge.decision = 'ALLOW' AND edge.verdict <> 'unreached'`,
  denied: `edge.decision = 'DENY'`,
  wouldBeDenied: 'edge.would_deny = 1',
  plainText: `edge.mtls = 0 AND edge.verdict <> 'unreached'`,
  unreached: `edge.verdict = 'unreached'`,
} as const satisfies Readonly<Record<keyof Counts, string | undefined>>);

const COUNT_SUMS = Object.entries(COUNTED)
  .map(([name, when]) => {
    const calls = when === undefined ? 'b.count' : `CASE WHEN ${when} THEN b.count ELSE 0 END`;
    return `CAST(sum(${calls}) AS BIGINT) AS c_${name.toLowerCase()}`;
  })
  .join(', ');

function countsOf(row: Row): Counts {
  return {
    calls: integer(row, 'c_calls'),
    allowed: integer(row, 'c_allowed'),
    denied: integer(row, 'c_denied'),
    wouldBeDenied: integer(row, 'c_wouldbedenied'),
    plainText: integer(row, 'c_plaintext'),
    unreached: integer(row, 'c_unreached'),
  };
}

function addCounts(a: Counts, b: Counts): Counts {
  return {
    calls: a.calls + b.calls,
    allowed: a.allowed + b.allowed,
    denied: a.denied + b.denied,
    wouldBeDenied: a.wouldBeDenied + b.wouldBeDenied,
    plainText: a.plainText + b.plainText,
    unreached: a.unreached + b.unreached,
  };
}

function minutesOf(stepMs: number): number {
  if (!Number.isSafeInteger(stepMs) || stepMs < MINUTE_MS || stepMs % MINUTE_MS !== 0)
    throw new RangeError(`a step of ${stepMs} ms is not a number of whole minutes`);
  return stepMs / MINUTE_MS;
}

/** How rows of a level fall into steps: which column or quotient to group by, and what a step of it is. */
function stepping({ level }: Segment, stepMs: number): { readonly group: string; readonly spanMs: number } {
  const { time, unit } = LEVELS[level];
  const per = Math.floor(stepMs / (unit * MINUTE_MS));
  return per <= 1
    ? { group: `b.${time}`, spanMs: unit * MINUTE_MS }
    : { group: `b.${time} / ${per}`, spanMs: per * unit * MINUTE_MS };
}

/** Steps in order; of those with the same beginning the shorter first. */
function inOrder<T extends Step>(points: Iterable<T>): readonly T[] {
  return [...points].sort((a, b) => a.at - b.at || a.spanMs - b.spanMs);
}

/** Whole minutes from the totals where these can answer; what the period cuts, hours and days from the rows of edges. */
function countedIn(segment: Segment, wanted: Asked, filter: StoreFilter | undefined): readonly (readonly [Segment, Condition])[] {
  const fromRows = (one: Segment): readonly [Segment, Condition] => [one, rowsOf(one, wanted, true)];
  if (segment.level !== 'minute' || !answeredByTotals(filter)) return [fromRows(segment)];
  const { whole, cut } = wholeMinutes(segment, wanted.period);
  return [...(whole === undefined ? [] : [[whole, totalsOf(whole, wanted)] as const]), ...cut.map(fromRows)];
}

export async function series(session: Session, question: Question & { readonly stepMs: number }): Promise<readonly CountPoint[]> {
  const plan = planOf(question, await rollupState(session), coarsestFor(minutesOf(question.stepMs)));
  const wanted = await asked(session, question);
  const points = new Map<string, CountPoint>();
  for (const [segment, { sql, values }] of plan.segments.flatMap((one) => countedIn(one, wanted, question.filter))) {
    const { group, spanMs } = stepping(segment, question.stepMs);
    for (const row of await session.all(`SELECT ${group} AS step, ${COUNT_SUMS} ${sql} GROUP BY 1`, ...values)) {
      const at = integer(row, 'step') * spanMs;
      const known = points.get(`${at} ${spanMs}`);
      const counts = known === undefined ? countsOf(row) : addCounts(known, countsOf(row));
      points.set(`${at} ${spanMs}`, { at, spanMs, ...counts });
    }
  }
  return inOrder(points.values());
}

export async function edgeSeries(
  session: Session,
  question: Period & { readonly edge: string; readonly stepMs: number },
): Promise<EdgeHistory | undefined> {
  const plan = planOf(question, await rollupState(session), coarsestFor(minutesOf(question.stepMs)));
  const digest: SqlValue = Buffer.from(question.edge, 'hex');
  const [edge] = await session.all('SELECT * FROM edge WHERE digest = ?', digest);
  if (edge === undefined) return undefined;
  const wanted: Asked = { period: question, condition: { sql: 'edge.id = ?', values: [integer(edge, 'id')] }, few: true };
  const points = new Map<string, TallyPoint>();
  for (const segment of plan.segments) {
    const { group, spanMs } = stepping(segment, question.stepMs);
    const { sql, values } = rowsOf(segment, wanted, true);
    for (const row of await session.all(`SELECT ${group} AS step, ${PLAIN_SUMS} ${sql} GROUP BY 1`, ...values)) {
      const at = integer(row, 'step') * spanMs;
      const known = points.get(`${at} ${spanMs}`);
      const tally = known === undefined ? tallyOfRow(row) : add(known.tally, tallyOfRow(row));
      points.set(`${at} ${spanMs}`, { at, spanMs, tally });
    }
  }
  return { key: keyOf(edge), points: inOrder(points.values()) };
}
