import { writeFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import colors from 'picocolors';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { coverageOf } from '../../policy/expect/coverage.ts';
import { runCase } from '../../policy/expect/run.ts';
import { explain } from '../../policy/evaluate/explain.ts';
import { diagnosticsOption, filenameOption, meshConfigOption } from '../input/options.ts';
import { collect } from '../options/collect.ts';
import { placesIn, surroundings } from './explain.ts';
import { explainedText } from './explain-text.ts';
import { type MeshFlags, fail, meshOf } from './mesh.ts';
import { testFiles } from './test/find.ts';
import { jsonReport } from './test/json.ts';
import { junitReport } from './test/junit.ts';
import { type TestFile, loadTests } from './test/load.ts';
import { type Ran, type Report, countsOf, untested } from './test/report.ts';
import { tapReport } from './test/tap.ts';
import { textReport } from './test/text.ts';
import { outputColors } from '../options/colors.ts';

interface TestFlags extends MeshFlags {
  readonly tests?: readonly string[];
  readonly output: string;
  readonly outputFile?: string;
  readonly coverage?: boolean;
}

const MACHINES: ReadonlyMap<string, (report: Report) => string> = new Map([
  ['json', jsonReport],
  ['junit', junitReport],
  ['tap', tapReport],
]);

/** The explanations of so many failures are enough; each is a screenful. */
const MOST_EXPLAINED = 200;

function run(snapshot: Snapshot, files: readonly TestFile[]): Report {
  const places = placesIn(snapshot);
  let explained = 0;
  const results = files.flatMap(({ file, cases, lines }) =>
    cases.map((one): Ran => {
      const result = runCase(snapshot, one);
      const line = lines[one.test.index] ?? 1;
      if (result.wrong === undefined || explained >= MOST_EXPLAINED) return { ...result, file, line, explanation: undefined };
      explained += 1;
      const { request } = one;
      const to = surroundings(snapshot, request);
      const text = explainedText({ name: '', request }, explain(snapshot, request), to, places, colors.createColors(false));
      return { ...result, file, line, explanation: text };
    }),
  );
  return { results, coverage: coverageOf(snapshot, results) };
}

function print(report: Report, flags: TestFlags): undefined {
  const inColor = outputColors();
  const machine = MACHINES.get(flags.output);
  const text =
    machine?.(report) ??
    textReport(report, flags.coverage === true, flags.outputFile === undefined ? inColor : colors.createColors(false));
  if (flags.outputFile === undefined) {
    process.stdout.write(text);
    return undefined;
  }
  try {
    writeFileSync(flags.outputFile, text);
  } catch (error) {
    return fail('test', 2, `--output-file: ${error instanceof Error ? error.message : String(error)}`);
  }
  process.stdout.write(textReport(report, flags.coverage === true, inColor));
}

function action(flags: TestFlags): void {
  const snapshot = meshOf('test', flags);
  if (snapshot === undefined) return;
  const { files, missing } = testFiles(flags.tests ?? flags.filename.filter((path) => path !== '-'));
  for (const one of flags.tests === undefined ? [] : missing) process.stderr.write(`error: ${one}\n`);
  if (flags.tests !== undefined && missing.length > 0) return fail('test', 2, 'not all of --tests can be read');
  const found = flags.tests === undefined ? files.filter((file) => !flags.filename.includes(file)) : files;
  if (found.length === 0)
    return fail('test', 2, 'no tests: name files with --tests, or put *.policy-test.yaml into a folder of -f');
  const loaded = found.map((file) => loadTests(file, snapshot));
  const faults = loaded.flatMap((one) => (one.ok ? [] : one.faults));
  for (const fault of faults.slice(0, 50)) process.stderr.write(`${fault}\n`);
  if (faults.length > 0)
    return fail('test', 2, `${faults.length} fault(s) in the tests; see "gatehouse policy test --help" for their form`);
  const report = run(
    snapshot,
    loaded.flatMap((one) => (one.ok ? [one.value] : [])),
  );
  for (const { policy, origin } of untested(report)) {
    process.stderr.write(
      `${origin.file}:${origin.line}: warning: AuthorizationPolicy ${policy}: no test is about a workload that it applies to\n`,
    );
  }
  print(report, flags);
  if (countsOf(report).failed > 0) process.exitCode = 1;
}

/** `gatehouse policy test`: expectations beside policies, decided without a mesh. */
export function testCommand(): Command {
  return new Command('test')
    .description('try expectations that are written beside policies; nothing has to run')
    .addOption(filenameOption().makeOptionMandatory())
    .addOption(
      new Option(
        '--tests <path>',
        'files of tests, or folders with *.policy-test.yaml (repeatable); the folders of -f if absent',
      ).argParser(collect),
    )
    .option('--coverage', 'how many requests each rule of each policy decided')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', ...MACHINES.keys()]).default('text'))
    .option('--output-file <file>', 'write the output there, and the text for people to standard output')
    .addOption(meshConfigOption())
    .addOption(diagnosticsOption())
    .addHelpText(
      'after',
      `
A file of tests (*.policy-test.yaml beside policies configures nothing, and is read by this command only):
  given: {method: GET}                 # for all tests, unless they say otherwise
  tests:
  - name: front ends read users        # every list multiplies: two callers times two paths
    from: [shop/mobile, shop/support]  # NAMESPACE/WORKLOAD, a SPIFFE ID, or plaintext
    to: shop/users:8080
    path: [/users/7, /users/8]
    expect: ALLOW
    by: shop/users                     # the policy and the rule that decide; may be left out
    rule: 0
  - name: nobody else does             # all other workloads, strangers and plain text are to be denied
    onlyFrom: [shop/mobile, shop/support, shop/rewards]
    to: shop/users:8080
    path: /users/7
  - name: written out                  # source, destination, request, jwt, extAuthz as in "gatehouse policy check"
    source: {principal: cluster.local/ns/shop/sa/website}
    destination: {namespace: shop, labels: {app: users}, port: 8080}
    request: {method: GET, path: /users/7}
    expect: DENY

Exit status: 0 all passed, 1 some failed or the configuration has errors, 2 wrong usage or a test that cannot be read.

Examples:
  gatehouse policy test -f mesh/
  gatehouse policy test -f mesh/ --tests tests/shop.policy-test.yaml --coverage
  gatehouse policy test -f mesh/ -o junit --output-file policy.xml`,
    )
    .action(action);
}
