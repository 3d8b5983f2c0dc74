import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { type Diagnostic, formatDiagnostic } from '../../mesh/model/diagnostic.ts';
import { loadMesh } from '../../mesh/source/mesh.ts';
import { evaluate } from '../../policy/evaluate/evaluate.ts';
import { unknownKeys } from '../../policy/jwks/unknown.ts';
import { findings } from '../input/findings.ts';
import { collect } from '../options/collect.ts';
import { fail } from './mesh.ts';
import { requestsIn } from './requests-file.ts';

/** One answer, as `-o json` prints it. */
interface Answer {
  readonly name: string;
  readonly decision: 'ALLOW' | 'DENY';
  /** `namespace/name`, or null when no single rule decided. */
  readonly policy: string | null;
  readonly rule: number | null;
  readonly reason: string;
}

interface CheckFlags {
  readonly filename: readonly string[];
  readonly requests: string;
  readonly meshConfig?: string;
  readonly output: string;
  readonly diagnostics: 'text' | 'json';
}

function table(answers: readonly Answer[]): string {
  const rows = new Table({ head: ['REQUEST', 'DECISION', 'POLICY', 'RULE', 'REASON'], style: { head: [], border: [] } });
  for (const { name, decision, policy, rule, reason } of answers) rows.push([name, decision, policy ?? '-', rule ?? '-', reason]);
  return `${rows.toString()}\n`;
}

const FORMATS: ReadonlyMap<string, (answers: readonly Answer[]) => string> = new Map([
  ['table', table],
  ['json', (answers) => `${JSON.stringify(answers, undefined, 2)}\n`],
  ['yaml', (answers) => stringify(answers)],
]);

function report(diagnostics: readonly Diagnostic[], form: 'text' | 'json'): void {
  for (const found of diagnostics) {
    process.stderr.write(`${form === 'json' ? JSON.stringify(found) : formatDiagnostic(found)}\n`);
    if (found.severity === 'error') process.exitCode = 1;
  }
}

function check(flags: CheckFlags): void {
  const requests = requestsIn('check', flags.requests);
  if (requests === undefined) return;
  const { snapshot, diagnostics, written } = loadMesh({ paths: flags.filename, meshConfigFile: flags.meshConfig });
  const found = findings(snapshot, written, new Date()).filter(({ severity }) => severity !== 'info');
  report([...diagnostics, ...found], flags.diagnostics);
  if (diagnostics.some(({ file, severity }) => severity === 'error' && file === flags.meshConfig)) {
    return fail('check', 1, `${flags.meshConfig} cannot be used, and without it the answers could be wrong; nothing was decided`);
  }
  if (requests.some(({ request }) => request.token !== undefined))
    report(unknownKeys(snapshot.requestAuthentications, 'tokens are taken for rightly signed'), flags.diagnostics);
  const answers = requests.map(({ name, request }): Answer => {
    const { decision, policy, rule, reason } = evaluate(snapshot, request);
    return { name, decision, policy: policy ?? null, rule: rule ?? null, reason };
  });
  const render = FORMATS.get(flags.output);
  if (render !== undefined) process.stdout.write(render(answers));
}

/** `gatehouse policy check`: decides the requests of a file. */
export function checkCommand(): Command {
  return new Command('check')
    .description('decide requests by the policies in these files, and say why')
    .addOption(
      new Option('-f, --filename <path>', 'a file or folder of Kubernetes YAML; may be repeated')
        .argParser(collect)
        .makeOptionMandatory(),
    )
    .requiredOption('--requests <file>', 'the requests, as a YAML or JSON list; - is standard input')
    .option('--mesh-config <file>', "Istio's MeshConfig fields, as YAML")
    .addOption(new Option('-o, --output <format>', 'how to print the answers').choices([...FORMATS.keys()]).default('table'))
    .addOption(
      new Option('--diagnostics <form>', 'how to print what is found in the input').choices(['text', 'json']).default('text'),
    )
    .addHelpText(
      'after',
      `
A request (what is absent is absent from it; without a principal it comes in plain text):
  - name: reviews reads ratings
    source: {principal: cluster.local/ns/bookinfo/sa/reviews, ip: 10.0.0.7, remoteIp: 192.0.2.1}
    destination: {namespace: bookinfo, labels: {app: ratings}, port: 9080, protocol: HTTP}
    request: {method: GET, host: ratings, path: /ratings/1, headers: {x-role: admin}}
    jwt: {issuer: https://issuer.example, subject: alice, audiences: [shop], claims: {group: [admin]}}

Exit status: 0 decided, 1 the configuration has errors, 2 wrong usage.

Examples:
  gatehouse policy check -f mesh/ --requests requests.yaml
  gatehouse policy check -f mesh/ -f policies.yaml --requests requests.json -o json | jq '.[] | select(.decision == "DENY")'`,
    )
    .action(check);
}
