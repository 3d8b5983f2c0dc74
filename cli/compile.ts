import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { loadMesh } from '../mesh/source/mesh.ts';
import { unknownKeys } from '../policy/jwks/unknown.ts';
import { requestAuthenticationsFor } from '../policy/request-authentication/applying.ts';
import { compileProxy } from '../routing/compile.ts';
import { asSelected } from '../xds/resources/as-selected.ts';
import { inboundSecurity } from '../xds/resources/security.ts';
import { chooseProxy } from './compile/choose-proxy.ts';
import { policyForms } from './compile/policy-forms.ts';
import { type CompileFlags, staticForm } from './compile/static-form.ts';
import { xdsForm } from './compile/xds-form.ts';
import { diagnosticsOption, filenameOption, meshConfigOption } from './input/options.ts';
import { hasErrors, printDiagnostics } from './input/print-diagnostics.ts';

const EXAMPLES = `
Examples:
  gatehouse compile -f mesh/ --proxy default/reviews-v1
  gatehouse compile -f mesh/ --proxy istio-system/istio-ingressgateway -o json
  gatehouse compile -f mesh/ --proxy default/reviews-v1 --static --certificates certs/ -o json > envoy.json && envoy -c envoy.json

policyForms tells for each filter that decides by policy how its rules are written for Envoy: as rules, or, where there are many, as a
matcher that looks callers up.

A Deployment without Pods is compiled for one made-up instance. Diagnostics of the input go to stderr.`;

export function compileCommand(): Command {
  return new Command('compile')
    .description('the Envoy resources for one proxy')
    .addOption(filenameOption().makeOptionMandatory())
    .requiredOption('--proxy <namespace/workload>', 'the workload whose proxy it is')
    .addOption(meshConfigOption())
    .option('--static', 'a complete configuration for envoy -c, instead of the resources as sent over xDS', false)
    .option('--certificates <dir>', 'with --static: a folder with cert-chain.pem, key.pem and root-cert.pem')
    .option('--sds-socket <path>', "with --static: an agent's SDS socket, instead of files")
    .addOption(diagnosticsOption())
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['yaml', 'json']).default('yaml'))
    .addHelpText('after', EXAMPLES)
    .action(compile);
}

function compile(flags: CompileFlags): void {
  const { snapshot, diagnostics } = loadMesh({
    paths: flags.filename,
    meshConfigFile: flags.meshConfig,
    assumePods: true,
  });
  printDiagnostics(diagnostics, flags.diagnostics);
  const proxy = chooseProxy(snapshot, flags.proxy);
  if (!proxy.ok) {
    process.stderr.write(`gatehouse compile: ${proxy.reason}\n`);
    process.exitCode = 1;
    return;
  }
  const tokens = requestAuthenticationsFor(snapshot, asSelected(proxy.value));
  printDiagnostics(unknownKeys(tokens, 'in this configuration all its tokens are refused'), flags.diagnostics);
  const security = inboundSecurity(snapshot, asSelected(proxy.value));
  const compiled = compileProxy(snapshot, proxy.value, security);
  const value = flags.static
    ? staticForm(compiled, proxy.value, snapshot, flags)
    : { ok: true as const, value: { policyForms: policyForms(security), ...xdsForm(compiled) } };
  if (!value.ok) {
    process.stderr.write(`gatehouse compile: ${value.reason}\n`);
    process.exitCode = 2;
    return;
  }
  process.stdout.write(
    flags.output === 'json' ? `${JSON.stringify(value.value, undefined, 2)}\n` : stringify(value.value, { version: '1.1' }),
  );
  if (hasErrors(diagnostics)) process.exitCode = 1;
}
