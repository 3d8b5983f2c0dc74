import { Command, Option } from 'commander';
import { collect } from './options/collect.ts';
import { addFederationOptions } from './options/federation.ts';
import { addServedOptions } from './up/served.ts';
import { parseUpFlags, type UpFlags } from './up/options.ts';
import { output } from './up/output.ts';
import { runUp } from './up/run.ts';

const EXAMPLES = `
Each Deployment becomes processes on this machine, each with its own Envoy, identity and address. Change the YAML while
it runs. Ctrl-C stops everything.

Examples:
  gatehouse up -f manifests/samples/bookinfo
  gatehouse up -f mesh/ --image 'example.org/cart:v2=node cart.js' --gateway-port 0
  sudo gatehouse up -f mesh/ --capture netns       network namespaces and iptables, as in a pod
  gatehouse up -f mesh/ -o json                    events as JSON lines on stdout`;

/** `gatehouse up`: a whole mesh on this machine from Kubernetes YAML. */
export function upCommand(): Command {
  const command = new Command('up')
    .description('a whole mesh on this machine from Kubernetes YAML')
    .requiredOption('-f, --filename <path>', 'file or folder of Kubernetes and Istio YAML; may be repeated', collect)
    .option('--mesh-config <file>', "Istio's MeshConfig fields")
    .addOption(
      new Option(
        '--capture <mode>',
        'how traffic reaches the proxies: HTTP_PROXY and addresses of 127/8, or network namespaces (root)',
      )
        .choices(['explicit', 'netns'])
        .default('explicit'),
    )
    .option('--gateway-port <port>', 'where the ingress gateway listens on 127.0.0.1; 0 takes any free port', '8080')
    .option('--run-dir <dir>', 'authority, audit store, logs and sockets', '.gatehouse')
    .option('--image <name=command>', 'what to run in place of an image; may be repeated', collect)
    .option('--images <file>', 'a table of images as manifests/samples/images.yaml; may be repeated', collect)
    .option('--envoy <path>', 'the Envoy binary (default: GATEHOUSE_ENVOY, then envoy on the PATH)')
    .option('--certificate-ttl <duration>', 'lifetime of workload certificates', '24h')
    .option('--audit-db <file|postgres://...>', 'the audit store (default: audit.db in --run-dir); see docs/audit/store.md')
    .option('--audit-db-password-file <file>', 'the password of a postgres:// store')
    .option('--alerts <file>', 'what to alert on, and webhooks to tell; see docs/audit/alerts.md')
    .option('--automatic-scope', 'tell proxies of the services that they call, and of others when they ask')
    .addOption(new Option('-o, --output <format>', 'what is printed on stdout').choices(['text', 'json']).default('text'))
    .addHelpText('after', EXAMPLES)
    .action(up);
  return addFederationOptions(addServedOptions(command));
}

async function up(flags: UpFlags): Promise<void> {
  const parsed = parseUpFlags(flags);
  if (!parsed.ok) {
    process.stderr.write(`gatehouse up: ${parsed.reason}\n`);
    process.exitCode = parsed.usage ? 2 : 1;
    return;
  }
  const told = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => {
      // Told twice: now. The kernel ends the children, and the next start removes what is left.
      if (told.signal.aborted) process.exit(1);
      told.abort();
    });
  const code = await runUp(parsed.options, output(flags.output), told.signal);
  process.exit(code);
}
