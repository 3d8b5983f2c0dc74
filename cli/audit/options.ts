import { hostname, userInfo } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { FORMATS } from '../../audit/document/print.ts';
import type { Author } from '../../audit/report/about.ts';
import { EDGE_VERDICTS } from '../../audit/report/filter.ts';
import { parseQuestion, type Question, type QuestionText } from '../../audit/report/question.ts';
import { type Report, reportOf } from '../../audit/report/report.ts';
import { parseStoreLocation } from '../../audit/store/location.ts';
import { storeQuestions } from '../../audit/store/open.ts';
import type { Question as StoreQuestion, StoreReader } from '../../audit/store/store.ts';
import { version } from '../version.ts';

export interface StoreFlags {
  readonly db: string;
}

export interface AuthorFlags {
  readonly preparedBy?: string;
}

export interface AuditFlags extends QuestionText, StoreFlags, AuthorFlags {}

export function fail(code: 1 | 2, message: string): undefined {
  process.stderr.write(`gatehouse audit: ${message}\n`);
  process.exitCode = code;
  return undefined;
}

/** A file, or a database; its password is in the file that this names, or where PostgreSQL's own programs look for it. */
function locationOf(db: string): ReturnType<typeof parseStoreLocation> {
  const passwordFile = db.startsWith('postgres') ? process.env['GATEHOUSE_AUDIT_DB_PASSWORD_FILE'] : undefined;
  return parseStoreLocation(db, passwordFile);
}

function knownPlace(db: string): string {
  const location = locationOf(db);
  if (!location.ok) throw new InvalidArgumentError(location.reason);
  return db;
}

export function dbOption(): Option {
  return new Option('--db <file|postgres://...>', "the control plane's audit store")
    .env('GATEHOUSE_AUDIT_DB')
    .default('.gatehouse/audit.db')
    .argParser(knownPlace);
}

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'how to print it').choices(FORMATS).default('table');
}

export function preparedByOption(): Option {
  return new Option('--prepared-by <name>', 'who answers for this report (default: you, as this machine knows you)');
}

/** Which calls; without the period, for commands that have periods of their own. */
export function withFilters(command: Command): Command {
  return command
    .option('--namespace <name>', 'calls from or to this namespace')
    .option('--workload <[namespace/]name>', 'calls from or to this workload')
    .option('--identity <spiffe-id>', 'calls from or to this identity, with or without spiffe://')
    .option('--service <host|namespace/name>', 'calls to this service')
    .addOption(new Option('--verdict <verdict>', 'only these calls').choices(EDGE_VERDICTS));
}

export function withPeriod(command: Command): Command {
  return command
    .option('--since <age|time>', 'calls after this: 15m, 1h, 7d, or ISO 8601')
    .option('--until <age|time>', 'calls before this');
}

/** What can be said when the operating system knows no name for the user. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`;
  }
}

export function authorOf({ preparedBy }: AuthorFlags, { db }: StoreFlags): Author {
  return { preparedBy: preparedBy ?? `${userName()}@${hostname()}`, version, store: db };
}

export function storeOf({ db }: StoreFlags): Pick<StoreReader, 'query'> {
  const location = locationOf(db);
  if (!location.ok) throw new Error(location.reason);
  return storeQuestions(location.value);
}

/** Runs what reads the store, and says what is wrong with it. */
export async function reading<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    return fail(1, `${error instanceof Error ? error.message : String(error)} (name the control plane's audit store with --db)`);
  }
}

/** What is read of each edge only where it is printed. */
export type Shown = Pick<StoreQuestion, 'certificates' | 'latencies'>;

export async function reportFor(
  flags: StoreFlags,
  question: Question,
  now: Date,
  shown: Shown = {},
): Promise<Report | undefined> {
  return reading(async () =>
    reportOf(await storeOf(flags).query({ ...question.period, filter: question.filter, ...shown }), { ...question, now }),
  );
}

export async function load(flags: AuditFlags, now: Date, shown: Shown): Promise<Report | undefined> {
  const question = parseQuestion(flags, now);
  return question.ok ? reportFor(flags, question.value, now, shown) : fail(2, `--${question.reason}`);
}
