import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { keyOf } from '../../mesh/model/object.ts';
import { loadMesh } from '../../mesh/source/mesh.ts';
import type { Answer } from '../../routing/evaluate/answer.ts';
import { evaluateRoute } from '../../routing/evaluate/evaluate.ts';
import type { Asker, RouteRequest } from '../../routing/evaluate/question.ts';
import { type DiagnosticsFormat, diagnosticsOption, filenameOption, meshConfigOption } from '../input/options.ts';
import { hasErrors, printDiagnostics } from '../input/print-diagnostics.ts';
import { collect } from '../options/collect.ts';
import { askerFrom } from './asker.ts';
import { explainedText } from './explain-text.ts';
import { type RequestFlags, requestFrom } from './request.ts';
import { outputColors } from '../options/colors.ts';

interface ExplainFlags extends RequestFlags {
  readonly filename: readonly string[];
  readonly meshConfig?: string;
  readonly diagnostics: DiagnosticsFormat;
  readonly from: string;
  readonly output: 'text' | 'json' | 'yaml';
}

function fail(code: 1 | 2, message: string): void {
  process.stderr.write(`gatehouse route explain: ${message}\n`);
  process.exitCode = code;
}

/** For machines: what is absent is null. */
function row(asker: Asker, { headers, ...request }: RouteRequest, answer: Answer): object {
  return {
    from: `${asker.kind === 'gateway' ? 'gateway:' : ''}${keyOf(asker.workload)}`,
    request: { ...request, claims: request.claims ?? null, headers: Object.fromEntries(headers) },
    claimed: answer.claimed ?? null,
    taken: answer.taken ?? null,
    skipped: answer.skipped,
    fault: answer.fault ?? null,
    outcome: answer.outcome,
  };
}

const orNull = (_key: string, value: unknown): unknown => value ?? null;

function action(flags: ExplainFlags): void {
  const { snapshot, diagnostics } = loadMesh({ paths: flags.filename, meshConfigFile: flags.meshConfig, assumePods: true });
  printDiagnostics(
    diagnostics.filter(({ severity }) => severity !== 'info'),
    flags.diagnostics,
  );
  if (hasErrors(diagnostics)) process.exitCode = 1;
  if (diagnostics.some(({ file, severity }) => severity === 'error' && file === flags.meshConfig))
    return fail(1, `${flags.meshConfig ?? ''} cannot be used, and without it the answer could be wrong; nothing was decided`);
  const asker = askerFrom(snapshot, flags.from);
  if (!asker.ok) return fail(2, `--from: ${asker.reason}`);
  const request = requestFrom(flags, asker.value, snapshot.meshConfig.pathNormalization);
  if (!request.ok) return fail(2, request.reason);
  const answer = evaluateRoute(snapshot, asker.value, request.value);
  if (flags.output === 'text') {
    const palette = outputColors();
    process.stdout.write(explainedText(asker.value, request.value, answer, palette));
    return;
  }
  const json = JSON.stringify(row(asker.value, request.value, answer), orNull, 2);
  process.stdout.write(flags.output === 'json' ? `${json}\n` : stringify(JSON.parse(json)));
}

/** `gatehouse route explain`: one request, the route it takes and why no earlier one. */
export function explainCommand(): Command {
  return new Command('explain')
    .description('where a request goes: which VirtualService and route, why no earlier one, and which endpoints')
    .addOption(filenameOption().makeOptionMandatory())
    .requiredOption(
      '--from <namespace/workload>',
      "the caller, or gateway:NAMESPACE/NAME for a request from outside (the gateway's workload or Gateway)",
    )
    .option('--to <url>', 'the URL that the caller asks for')
    .option('--host <host>', 'the Host header, in place of that of the URL')
    .option('--port <port>', "the port connected to, at a gateway the server's; that of the URL or its scheme's if absent")
    .option('--scheme <scheme>', 'http or https, in place of that of the URL')
    .option('--path <path>', 'with its query, in place of that of the URL; / if absent')
    .option('--method <method>', 'GET if absent')
    .addOption(new Option('-H, --header <name=value>', 'a header; may be repeated').argParser(collect))
    .option('--claims <json>', 'claims of a token that the gateway has verified')
    .addOption(meshConfigOption())
    .addOption(diagnosticsOption())
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json', 'yaml']).default('text'))
    .addHelpText(
      'after',
      `
Deployments without Pods in the input have made-up addresses (10.0.0.N).

Exit status: 0 explained, wherever it goes; 1 the configuration has errors; 2 wrong usage.

Examples:
  gatehouse route explain -f mesh/ --from shop/website --to http://reviews:9080/reviews/7
  gatehouse route explain -f mesh/ --from shop/website --to http://reviews:9080/ -H end-user=jason -o json
  gatehouse route explain -f mesh/ --from gateway:istio-system/ingress --to https://shop.example.com/cart --method POST`,
    )
    .action(action);
}
