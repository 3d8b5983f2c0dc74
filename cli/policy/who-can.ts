import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { callerTexts, type Caller } from '../../policy/access/callers.ts';
import { describedRow, describedText } from '../../policy/access/describe.ts';
import type { Grant, PortTable } from '../../policy/access/table.ts';
import { writtenRequest } from '../../policy/access/witness.ts';
import { type Answer, type OneCaller, whoCan } from '../../policy/access/who-can.ts';
import { jwtRulesFor } from '../../policy/request-authentication/applying.ts';
import { diagnosticsOption, filenameOption, meshConfigOption } from '../input/options.ts';
import { callerFrom, destinationFrom } from './address.ts';
import { destinationsIn, identitiesIn } from './destinations.ts';
import { type MeshFlags, fail, meshOf } from './mesh.ts';
import { requestLine } from './print-request.ts';

interface WhoCanFlags extends MeshFlags {
  readonly to?: string;
  readonly from?: string;
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly output: string;
}

const COLUMNS: ReadonlySet<string> = new Set(['method', 'path']);

function described(grant: Grant, key: string): string {
  return describedText(grant.conditions.find((one) => one.key === key)?.description);
}

/** Everything but methods and paths, which have columns of their own. */
function otherConditions({ conditions }: Grant): string {
  const others = conditions.filter(({ key }) => !COLUMNS.has(key));
  return others.length === 0 ? '-' : others.map(({ key, description }) => `${key}: ${describedText(description)}`).join('\n');
}

function portsText({ ports, others, protocol, mtls }: PortTable): string {
  const named = ports.length === 0 ? '' : `port ${ports.join(', ')}`;
  const where = others ? (named === '' ? 'any port' : `${named} and any other`) : named;
  return `${where} (${protocol}), mutual TLS ${mtls.mode} by ${mtls.setBy === undefined ? 'default' : mtls.setBy}`;
}

function tableText(table: PortTable, trustDomain: string): string {
  const text = (callers: readonly Caller[]): string => callerTexts(callers, trustDomain).join('\n');
  if (table.grants.length === 0 && table.untold.length === 0) return '  nobody\n';
  const rows = new Table({
    head: ['FROM', 'METHODS', 'PATHS', 'CONDITIONS', 'BY', 'FOR EXAMPLE'],
    style: { head: [], border: [] },
    colWidths: [null, null, null, null, null, 50],
    wordWrap: true,
  });
  for (const grant of table.grants) {
    const [method, path] = table.protocol === 'TCP' ? ['-', '-'] : [described(grant, 'method'), described(grant, 'path')];
    const by = grant.by.length === 0 ? 'no ALLOW policy' : grant.by.join('\n');
    rows.push([text(grant.callers), method, path, otherConditions(grant), by, requestLine(grant.witness)]);
  }
  const shown = table.grants.length === 0 ? '' : `${rows.toString()}\n`;
  return table.untold.length === 0 ? shown : `${shown}  too much to tell: ${text(table.untold)}\n`;
}

function answerText(answers: readonly Answer[], trustDomain: string): string {
  return answers
    .flatMap(({ destination, tables }) =>
      tables.map((table) => `${destination.name} ${portsText(table)}\n${tableText(table, trustDomain)}`),
    )
    .join('\n');
}

function rowsOf({ destination, tables }: Answer): readonly object[] {
  return tables.flatMap(({ ports, others, protocol, mtls, grants, untold }) => {
    const to = {
      workload: destination.name,
      ports,
      anyOtherPort: others,
      protocol,
      mtls: { mode: mtls.mode, setBy: mtls.setBy ?? null },
    };
    return [
      ...grants.map(({ callers, conditions, by, witness, confirmed }) => {
        const of = (key: string): unknown => describedRow(conditions.find((one) => one.key === key)?.description);
        return {
          to,
          from: callers,
          methods: protocol === 'TCP' ? null : of('method'),
          paths: protocol === 'TCP' ? null : of('path'),
          conditions: conditions
            .filter(({ key }) => !COLUMNS.has(key))
            .map(({ key, description }) => ({ key, values: describedRow(description) })),
          by,
          example: writtenRequest(`${destination.name} example`, witness),
          confirmed,
        };
      }),
      ...(untold.length === 0 ? [] : [{ to, from: untold, tooMuchToTell: true }]),
    ];
  });
}

function action(flags: WhoCanFlags): void {
  const snapshot = meshOf('who-can', flags);
  if (snapshot === undefined) return;
  const to = flags.to === undefined ? undefined : destinationFrom(snapshot, flags.to);
  if (to?.ok === false) return fail('who-can', 2, `--to: ${to.reason}`);
  const from = flags.from === undefined ? undefined : callerFrom(snapshot, flags.from);
  if (from?.ok === false) return fail('who-can', 2, `--from: ${from.reason}`);
  const id = from?.value;
  const one: OneCaller | undefined = from && {
    value: id === undefined ? undefined : [id],
    shown: id === undefined ? { kind: 'plain-text' } : { kind: 'identity', principal: id },
  };
  const port = to?.value.port;
  const destinations = to === undefined ? destinationsIn(snapshot) : [to.value.destination];
  const known = identitiesIn(snapshot);
  const within = { method: flags.method, path: flags.path, host: flags.host };
  const answers = destinations
    .map((destination) => whoCan({ snapshot, destination }, known, within, one))
    .map((answer) => ({
      ...answer,
      tables: answer.tables.flatMap((table) => {
        if (port === undefined) return [table];
        return table.ports.includes(port) || table.others ? [{ ...table, ports: [port], others: false }] : [];
      }),
    }))
    .filter(({ tables }) => flags.to !== undefined || tables.some(({ grants, untold }) => grants.length + untold.length > 0));
  for (const { destination, complete, tables } of answers) {
    const onToken = tables.some(({ grants }) => grants.some(({ witness }) => witness.token !== undefined));
    if (onToken && jwtRulesFor(snapshot, destination).length === 0)
      process.stderr.write(
        `warning: ${destination.name}: rows ask for a token, and no RequestAuthentication applies: its proxy verifies none, so that nobody gets in by them\n`,
      );
    if (!complete)
      process.stderr.write(
        `warning: ${destination.name}: there are too many kinds of requests to tell apart; some may be missing\n`,
      );
  }
  if (answers.some(({ tables }) => tables.some(({ grants }) => grants.some(({ confirmed }) => !confirmed)))) {
    process.stderr.write('error: an example is not decided as its row says; please report this with the input\n');
    process.exitCode = 1;
  }
  const { trustDomain } = snapshot.meshConfig;
  if (flags.output === 'table') process.stdout.write(answers.length === 0 ? 'nothing\n' : answerText(answers, trustDomain));
  else {
    const rows = answers.flatMap(rowsOf);
    process.stdout.write(
      flags.output === 'json' ? `${JSON.stringify(rows, undefined, 2)}\n` : stringify(rows, { aliasDuplicateObjects: false }),
    );
  }
}

/** `gatehouse policy who-can`: who may call a workload, or what a caller may reach. */
export function whoCanCommand(): Command {
  return new Command('who-can')
    .description('who may call a workload and how, or what one caller may reach, by everything that the policies say')
    .addOption(filenameOption().makeOptionMandatory())
    .option('--to <namespace/workload[:port]>', 'the workload called; without it, all of them')
    .option('--from <principal|namespace/workload|plaintext>', 'one caller; without it, all of them')
    .option('--method <method>', 'only requests with this method')
    .option('--path <path>', 'only requests to this path, as it is after normalization')
    .option('--host <host>', 'only requests with this Host')
    .addOption(meshConfigOption())
    .addOption(diagnosticsOption())
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json', 'yaml']).default('table'))
    .addHelpText(
      'after',
      `
Each row carries one request that the evaluator of "gatehouse policy check" allows. "Any other identity" is one that is in no other row
of its table. Dry-run and AUDIT policies decide nothing and are left out. Where an external authorizer decides, the row says so.

Exit status: 0 answered, 1 the configuration has errors, 2 wrong usage.

Examples:
  gatehouse policy who-can -f mesh/ --to shop/users
  gatehouse policy who-can -f mesh/ --to shop/users:8080 --method DELETE --path /users/7
  gatehouse policy who-can -f mesh/ --from shop/mobile -o json`,
    )
    .action(action);
}
