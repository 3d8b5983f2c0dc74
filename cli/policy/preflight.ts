import { Command, Option } from 'commander';
import { cell, type Printable, type Table } from '../../audit/document/document.ts';
import { jsonObject } from '../../audit/document/json.ts';
import { print } from '../../audit/document/print.ts';
import { iso } from '../../audit/report/about.ts';
import { keyOf } from '../../mesh/model/object.ts';
import { ADVICE } from '../../policy/preflight/plain-text.ts';
import { isSafe, preflight, type PlainTextCaller, type Preflight } from '../../policy/preflight/preflight.ts';
import { dbOption, withPeriod } from '../audit/options.ts';
import { writeAll } from '../audit/write.ts';
import { diagnosticsOption, filenameOption, meshConfigOption } from '../input/options.ts';
import { loadedMesh } from './loaded.ts';
import { fail, type MeshFlags } from './mesh.ts';
import { evidenceJson, evidenceText, observedFor, type ObservedFlags } from './observed.ts';
import type { Evidence } from './suggest-evidence.ts';

const FORMATS = Object.freeze(['table', 'json', 'csv', 'markdown'] as const);

interface PreflightFlags extends Omit<ObservedFlags, 'namespace' | 'workload'>, MeshFlags {
  readonly output: (typeof FORMATS)[number];
}

function callersTable(rows: readonly PlainTextCaller[]): Table {
  return {
    columns: [
      { title: 'caller' },
      { title: 'addresses' },
      { title: 'destination' },
      { title: 'port' },
      { title: 'requests', wide: true },
      { title: 'calls' },
      { title: 'last seen' },
      { title: 'why, and what to do' },
    ],
    *rows() {
      for (const row of rows)
        yield [
          cell(row.caller ?? row.kind),
          cell(row.addresses.join(', ')),
          cell(row.destination),
          cell(row.port === undefined ? '' : String(row.port)),
          cell(row.requests.join(', ')),
          cell(row.calls),
          cell(iso(row.lastSeen)),
          cell(ADVICE[row.kind]),
        ];
    },
  };
}

function printable(found: Preflight, target: string, evidence: Evidence): Printable {
  const calls = (rows: readonly PlainTextCaller[]): number => rows.reduce((sum, row) => sum + row.calls, 0);
  const json = (row: PlainTextCaller) => ({
    ...row,
    caller: row.caller ?? null,
    port: row.port ?? null,
    firstSeen: iso(row.firstSeen),
    lastSeen: iso(row.lastSeen),
    why: ADVICE[row.kind],
  });
  return {
    document: {
      title: `Mutual TLS only (STRICT) for ${target}`,
      period: evidenceText(evidence),
      facts: [
        ['would be cut off', `${found.cutOff.length} callers, ${calls(found.cutOff)} calls`],
        ['with mutual TLS', `${found.mtlsCalls} calls`],
        ['in plain text to excepted ports', `${calls(found.excepted)} calls`],
        ['workloads', found.workloads.join(', ')],
      ],
      about: [],
      sections: [
        { heading: 'Would be cut off', table: callersTable(found.cutOff), whenEmpty: 'Nobody that was seen.' },
        {
          heading: 'Probes and scrapes that would be denied, as they are configured',
          table: {
            columns: [{ title: 'object' }, { title: 'what' }, { title: 'what to do' }],
            *rows() {
              for (const { object, text, hint } of found.clusterCalls) yield [cell(object), cell(text), cell(hint)];
            },
          },
          whenEmpty: 'None.',
        },
        {
          heading: 'Ports that go on taking plain text',
          table: {
            columns: [{ title: 'workload' }, { title: 'port' }, { title: 'mode' }, { title: 'set by' }],
            *rows() {
              for (const { destination, port, mode, setBy } of found.exceptedPorts)
                yield [cell(destination), cell(port === undefined ? 'all others' : String(port)), cell(mode), cell(setBy)];
            },
          },
          whenEmpty: 'None.',
        },
        ...(found.excepted.length === 0
          ? []
          : [{ heading: 'Call these in plain text, and can go on', table: callersTable(found.excepted) }]),
      ],
      notCovered: evidence.missing,
      neverCovered: [
        'callers that were not seen in this time',
        'the agent answers probes that the injector rewrote, whatever the mode',
      ],
    },
    csv: callersTable(found.cutOff),
    json: () =>
      jsonObject({
        target,
        period: evidenceJson(evidence),
        safe: isSafe(found),
        cutOff: found.cutOff.map(json),
        excepted: found.excepted.map(json),
        clusterCalls: found.clusterCalls,
        exceptedPorts: found.exceptedPorts.map((one) => ({ ...one, port: one.port ?? null })),
        mtlsCalls: found.mtlsCalls,
        workloads: found.workloads,
      }),
  };
}

async function action(target: string, flags: PreflightFlags): Promise<undefined> {
  const [namespace = '', name, more] = target.split('/');
  if (namespace === '' || name === '' || more !== undefined)
    return fail('preflight', 2, `"${target}" is neither a NAMESPACE nor a NAMESPACE/WORKLOAD`);
  const mesh = loadedMesh('preflight', flags);
  if (mesh === undefined) return undefined;
  const workloads = mesh.snapshot.workloads.filter((one) => one.namespace === namespace);
  const workload = name === undefined ? undefined : workloads.find((one) => one.name === name);
  if (workloads.length === 0 || (name !== undefined && workload === undefined))
    return fail(
      'preflight',
      2,
      `there is no ${name === undefined ? `workload in namespace ${namespace}` : `workload ${target}`} in the configuration; there are ${mesh.snapshot.workloads.map(keyOf).slice(0, 20).join(', ')}`,
    );
  const evidence = await observedFor(
    'preflight',
    { ...flags, ...(name === undefined ? { namespace } : { workload: target }) },
    new Date(),
  );
  if (evidence === undefined) return undefined;
  const found = preflight(mesh.snapshot, { namespace, workload }, evidence.calls);
  await writeAll(print(printable(found, target, evidence), flags.output), process.stdout);
  if (!isSafe(found)) process.exitCode = 1;
  return undefined;
}

/** `gatehouse policy preflight`: who would be cut off by STRICT. */
export function preflightCommand(): Command {
  return withPeriod(new Command('preflight').addOption(dbOption()))
    .description('who would be cut off if a namespace or a workload took mutual TLS only (PeerAuthentication STRICT)')
    .argument('<namespace[/workload]>', 'what would become STRICT')
    .addOption(filenameOption().makeOptionMandatory())
    .addOption(meshConfigOption())
    .addOption(diagnosticsOption())
    .addOption(new Option('-o, --output <format>', 'how to print').choices(FORMATS).default('table'))
    .addHelpText(
      'after',
      `
Callers in plain text are told by address, workload (where it is known), port, volume and last call; probes and scrapes also where they
are configured and were not seen. Ports that a PeerAuthentication excepts go on taking plain text.

Exit status: 0 nobody would be cut off, 1 somebody would, or the input has errors, 2 wrong usage.

Examples:
  gatehouse policy preflight shop -f mesh/ --since 7d
  gatehouse policy preflight shop/users -f mesh/ -o json | jq '.cutOff[].addresses'
  gatehouse policy preflight shop -f mesh/ --since 30d -o markdown > strict.md`,
    )
    .action(action);
}
