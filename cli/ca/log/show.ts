import { once } from 'node:events';
import { existsSync } from 'node:fs';
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { withScheme } from '../../../ca/identity/spiffe-id.ts';
import { parseInstant } from '../../../audit/report/instant.ts';
import { copiesIn } from '../../../ca/log/gather/copy.ts';
import { type LoggedIssuance, type LoggedRefusal, type LogQuestion, readLog } from '../../../ca/log/read.ts';
import { folderAt } from '../../../ca/root/folder.ts';
import { caDir, fail, reported } from '../folder-command.ts';
import { showTokens } from './tokens.ts';

interface ShowFlags {
  readonly caDir: string;
  readonly output: 'table' | 'json';
  readonly identity?: string;
  readonly serial?: string;
  readonly tokens?: true;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: number;
  readonly kubernetes?: true;
}

/** A table is for reading; its columns need all rows in memory. JSON is written as it is read. */
const ROWS = 1000;
const REFUSALS = 20;

export function showCommand(): Command {
  return new Command('show')
    .description('what was issued and refused, newest last')
    .addOption(caDir())
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['table', 'json']).default('table'))
    .option('--identity <spiffe-id>', 'only certificates of this identity, with or without spiffe://')
    .option('--serial <hex>', 'only the certificate with this serial number')
    .option('--kubernetes', 'of all replicas of a control plane, of which this folder has copies')
    .option('--tokens', 'JWT-SVIDs in place of certificates')
    .option('--since <time>', 'only from then on: RFC 3339, a date, or a duration before now, such as 24h')
    .option('--until <time>', 'only before then, written as for --since')
    .option('--limit <n>', `only the newest n certificates (default of the table: ${ROWS})`, positive)
    .addHelpText(
      'after',
      `
Examples:
  gatehouse ca log show --ca-dir .gatehouse/ca
  gatehouse ca log show --ca-dir .gatehouse/ca --identity cluster.local/ns/shop/sa/cart --since 24h -o json
  gatehouse ca log show --ca-dir .gatehouse/ca --tokens
  gatehouse ca log show --ca-dir .gatehouse/ca --limit 20
  kubectl exec -n gatehouse-system deploy/gatehouse -- gatehouse ca log show --ca-dir /var/lib/gatehouse/ca --kubernetes`,
    )
    .action(async (flags: ShowFlags) => {
      if (Number.isNaN(flags.limit)) return fail(2, '--limit must be a positive number');
      const question = questionOf(flags, new Date());
      if (typeof question === 'string') return fail(2, question);
      if (flags.tokens === undefined) return reported(() => show(flags, question));
      if (flags.serial !== undefined) return fail(2, '--serial is of certificates: a JWT-SVID has none');
      const { names, since, until } = question;
      const asked = { identity: names?.slice('URI:'.length), since, until };
      await reported(() => showTokens(flags.caDir, asked, flags.limit ?? ROWS, flags.output));
    });
}

function questionOf({ identity, serial, since, until }: ShowFlags, now: Date): LogQuestion | string {
  if (serial !== undefined && !/^[0-9a-fA-F]{1,40}$/.test(serial)) return '--serial must be a hexadecimal number';
  const from = since === undefined ? undefined : parseInstant(since, now);
  if (from?.ok === false) return `--since: ${from.reason}`;
  const to = until === undefined ? undefined : parseInstant(until, now);
  if (to?.ok === false) return `--until: ${to.reason}`;
  return {
    names: identity === undefined ? undefined : `URI:${withScheme(identity)}`,
    serial: serial?.toLowerCase(),
    since: from && new Date(from.value),
    until: to && new Date(to.value),
  };
}

async function show(flags: ShowFlags, question: LogQuestion): Promise<void> {
  const { dir, issuanceLog } = folderAt(flags.caDir);
  if (!existsSync(issuanceLog)) return fail(1, `there is no issuance log in ${dir}: no authority was opened there`);
  const asked = question.names === undefined && question.serial === undefined;
  const copies = flags.kubernetes === true ? (await copiesIn(dir)).map(({ files }) => files.records) : [];
  const entries = readLogs([issuanceLog, ...copies], question);
  const order = flags.kubernetes === true ? byTime : byRecord;
  const found = await (flags.output === 'json' && flags.limit === undefined
    ? writeJson(entries, asked)
    : collect(entries, flags.limit ?? ROWS, asked, order));
  if (flags.output === 'table') printTables(found.issuances, found.refusals, found.left);
  else if (flags.limit !== undefined) {
    const { issuances, refusals, unreadable } = found;
    process.stdout.write(`${JSON.stringify({ issuances, refusals, unreadable }, null, 2)}\n`);
  }
  if (found.unreadable > 0)
    fail(
      1,
      `${found.unreadable} lines of the log are no records: a crash while writing (the next start sets it aside), or damage`,
    );
}

interface Found {
  readonly issuances: readonly LoggedIssuance[];
  readonly refusals: readonly LoggedRefusal[];
  readonly unreadable: number;
  /** Older ones that were left out. */
  readonly left: number;
}

type Entries = ReturnType<typeof readLog>;

type Order = (a: LoggedIssuance, b: LoggedIssuance) => number;
const byRecord: Order = (a, b) => a.record - b.record;
/** Records of several logs are numbered in each. */
const byTime: Order = (a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : a.record - b.record);

async function* readLogs(paths: readonly string[], question: LogQuestion): Entries {
  for (const path of paths) yield* readLog(path, question);
}

async function collect(entries: Entries, most: number, withRefusals: boolean, order: Order): Promise<Found> {
  let issuances: LoggedIssuance[] = [];
  let refusals: LoggedRefusal[] = [];
  let [unreadable, left] = [0, 0];
  const trim = () => {
    left += Math.max(0, issuances.length - most);
    issuances = issuances.toSorted(order).slice(-most);
    refusals = refusals.slice(-ROWS);
  };
  for await (const entry of entries) {
    if (entry.kind === 'issuance') issuances.push(entry);
    else if (entry.kind === 'unreadable') unreadable++;
    else if (withRefusals) refusals.push(entry);
    if (issuances.length + refusals.length > 4 * (most + ROWS)) trim();
  }
  trim();
  return { issuances, refusals, unreadable, left };
}

/** One JSON document, written while the log is read: refusals are few (their number is limited when they are written). */
async function writeJson(entries: Entries, withRefusals: boolean): Promise<Found> {
  const refusals: LoggedRefusal[] = [];
  let [unreadable, separator] = [0, '\n    '];
  process.stdout.write('{\n  "issuances": [');
  for await (const entry of entries) {
    if (entry.kind === 'unreadable') unreadable++;
    else if (entry.kind === 'issuance') {
      if (!process.stdout.write(`${separator}${JSON.stringify(entry)}`)) await once(process.stdout, 'drain');
      separator = ',\n    ';
    } else if (withRefusals && refusals.length < ROWS * ROWS) refusals.push(entry);
  }
  process.stdout.write(`\n  ],\n  "refusals": ${JSON.stringify(refusals)},\n  "unreadable": ${unreadable}\n}\n`);
  return { issuances: [], refusals: [], unreadable, left: 0 };
}

function printTables(issuances: readonly LoggedIssuance[], refusals: readonly LoggedRefusal[], left: number): void {
  const table = new Table({
    head: ['time', 'names', 'outcome', 'serial', 'valid until', 'evidence', 'key'],
    style: { head: [], border: [] },
  });
  for (const { time, names, dnsNames = [], outcome, serial, notAfter, evidence, key } of issuances)
    table.push([
      time,
      [names, ...dnsNames.map((name) => `DNS:${name}`)].join('\n'),
      outcome,
      serial,
      notAfter,
      `${evidence.kind}: ${evidence.subject}`,
      key,
    ]);
  process.stdout.write(`${table.toString()}\n`);
  if (left > 0) process.stderr.write(`${left} older ones are left out; --limit, --since or -o json show more\n`);
  if (refusals.length === 0) return;
  const refused = new Table({ head: ['time', 'refused', 'reason', 'evidence'], style: { head: [], border: [] } });
  for (const { time, code, reason, evidence } of refusals.slice(-REFUSALS))
    refused.push([time, code, reason, evidence === undefined ? '' : `${evidence.kind}: ${evidence.subject}`]);
  process.stdout.write(`${refused.toString()}\n`);
}

function positive(value: string): number {
  return /^[1-9]\d{0,8}$/.test(value) ? Number(value) : Number.NaN;
}
