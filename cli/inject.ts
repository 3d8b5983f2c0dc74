import { Command, Option } from 'commander';
import { listFiles } from '../mesh/source/files.ts';
import { injectionSettings } from './inject/settings.ts';
import { asList, asText, injectFiles } from './inject/objects.ts';
import { type DiagnosticsFormat, diagnosticsOption, filenameOption, meshConfigOption, namespaceOption } from './input/options.ts';
import { hasErrors, printDiagnostics } from './input/print-diagnostics.ts';

interface InjectFlags {
  readonly filename: readonly string[];
  readonly meshConfig?: string;
  readonly values?: string;
  readonly revision?: string;
  readonly image?: string;
  readonly controlPlane?: string;
  readonly namespace: string;
  readonly output: 'yaml' | 'json';
  readonly diagnostics: DiagnosticsFormat;
  readonly quiet?: true;
}

/** `gatehouse inject`: the sidecar into manifests, as the webhook of a cluster puts it into pods. */
export function injectCommand(): Command {
  return new Command('inject')
    .description('put the sidecar into manifests, as the webhook does in a cluster')
    .addOption(filenameOption().makeOptionMandatory())
    .addOption(meshConfigOption())
    .option('--values <file>', "Istio's Helm values (also an IstioOperator, or the ConfigMap istio-sidecar-injector)")
    .option('--revision <name>', 'revision of the control plane that the proxies belong to')
    .option('--image <reference>', 'image of the proxy and of the capture')
    .option('--control-plane <address>', 'HOST:PORT of the control plane, as pods reach it')
    .addOption(namespaceOption())
    .addOption(new Option('-o, --output <format>', 'how to print the objects').choices(['yaml', 'json']).default('yaml'))
    .addOption(diagnosticsOption())
    .option('--quiet', 'do not tell on stderr which objects are left as they are')
    .addHelpText(
      'after',
      `
Pods, and objects with a template of pods (Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job, CronJob, PodTemplate, DeploymentConfig, List), get a
proxy, unless they opt out (label or annotation sidecar.istio.io/inject: "false") or have hostNetwork. All other objects are printed as they are. Comments stay. What was
injected before is replaced, so that it may be done again.

Examples:
  gatehouse inject -f shop.yaml | kubectl apply -f -
  gatehouse inject -f manifests/ --mesh-config mesh.yaml --revision canary -o json
  kubectl get deployment cart -o yaml | gatehouse inject -f - | kubectl apply -f -
  kubectl -n istio-system get configmap istio-sidecar-injector -o yaml > injector.yaml
  gatehouse inject -f shop.yaml --values injector.yaml

Exit code: 0 when all is printed, 1 when a pod cannot be injected or a file cannot be read (nothing is printed then), 2 for wrong usage.`,
    )
    .action((flags: InjectFlags) => {
      const settings = injectionSettings(flags);
      if (!settings.ok) {
        process.stderr.write(`gatehouse inject: ${settings.reason}\n`);
        process.exitCode = 1;
        return;
      }
      const found = listFiles(flags.filename);
      for (const { path, reason } of found.missing) process.stderr.write(`gatehouse inject: ${path}: ${reason}\n`);
      const { documents, diagnostics } = injectFiles(found.files, settings.value, flags.namespace);
      printDiagnostics(flags.quiet ? diagnostics.filter(({ severity }) => severity !== 'info') : diagnostics, flags.diagnostics);
      if (hasErrors(diagnostics) || found.missing.length > 0) {
        process.exitCode = 1;
        return;
      }
      if (flags.output === 'json')
        process.stdout.write(`${JSON.stringify(asList(documents.map(({ object }) => object)), null, 2)}\n`);
      else process.stdout.write(asText(documents));
    });
}
