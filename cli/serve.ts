import { Command, Option } from 'commander';
import { diagnosticsOption, filenameOption, meshConfigOption } from './input/options.ts';
import { logger } from './log.ts';
import { formatAddress } from './options/address.ts';
import { caKeyOptions } from './options/ca-key.ts';
import { collect } from './options/collect.ts';
import { addFederationOptions } from './options/federation.ts';
import { addCallerOptions } from './serve/caller-options.ts';
import { addClusterOptions } from './serve/cluster-options.ts';
import { newDiagnostics } from './serve/new-diagnostics.ts';
import { startControlPlane } from './serve/control-plane.ts';
import { DEFAULT_GRPC_ADDRESS, parseServeFlags, type ServeFlags } from './serve/options.ts';
import { addUpstreamOptions } from './serve/upstream-options.ts';
import { addPageOptions } from './serve/page-options.ts';
import { addWebhookOptions } from './serve/webhook-options.ts';

const EXAMPLES = `
Examples:
  gatehouse serve -f mesh/
  gatehouse serve --kubernetes --kubeconfig ~/.kube/config
  gatehouse serve --kubernetes --webhook-address 0.0.0.0:15017 --revision canary --proxy-image registry.example/proxy:1
  gatehouse serve -f mesh/ --jwks jwks.json --token-issuer https://kubernetes.default.svc
  gatehouse serve -f mesh/ --bundle-endpoint 0.0.0.0:8443 --federate other.test=https://bundle.other.test
  gatehouse serve -f mesh/ --alerts alerts.yaml
  gatehouse serve -f mesh/ --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0
  gatehouse serve -f mesh/ --page-address 0.0.0.0:15080 --page-tokens tokens.yaml
  gatehouse serve -f mesh/ --upstream vault=https://vault:8200/pki --upstream-credential token --upstream-roots vault-ca.pem

One JSON line on stdout says when it is ready and on which addresses; logs and diagnostics go to stderr.
Ends on SIGINT and SIGTERM; proxies go on with what they have and reconnect when it is back.`;

export function serveCommand(): Command {
  const command = new Command('serve')
    .description(
      'the control plane: certificates, xDS and access logs for proxies, from a folder of YAML or a Kubernetes cluster',
    )
    .addOption(filenameOption())
    .addOption(
      new Option('--generated <path>', 'as -f, for files that a program makes anew: nothing is written there')
        .argParser(collect)
        .hideHelp(),
    )
    .addOption(meshConfigOption())
    .option('--ca-dir <dir>', "the authority's root and issuance log", '.gatehouse/ca')
    .option(
      '--grpc-address <host:port>',
      `certificates, xDS and access logs over TLS; may be repeated (default: ${DEFAULT_GRPC_ADDRESS})`,
      collect,
    )
    .option('--http-address <host:port>', 'health, metrics and /debug/syncz', '127.0.0.1:15014')
    .option('--plaintext-xds <host:port>', 'also xDS without TLS: every caller may read the configuration of every pod')
    .option('--plaintext-xds-anywhere', 'let --plaintext-xds be an address that other machines can reach')
    .option('--allow-captures', 'let gatehouse debug on this machine take CPU profiles and heap snapshots')
    .option('--audit-db <file|postgres://...>', 'the audit store', '.gatehouse/audit.db')
    .option('--audit-db-password-file <file>', "the database's password; else PGPASSFILE or PGPASSWORD")
    .option('--audit-minutes <duration>', 'keep who called whom minute by minute for as long', '48h')
    .option('--audit-hours <duration>', 'then hour by hour', '720h')
    .option(
      '--audit-subject <off|hash|plain>',
      'whose JSON Web Token a request had: not kept, as a keyed hash, or as it is',
      'off',
    )
    .option('--audit-subject-key <file>', 'the key of that hash, 32 bytes or more; the same for all replicas')
    .option('--audit-retention <duration>', 'then day by day; what is older is deleted', '9504h')
    .option('--alerts <file>', 'what to alert on, and webhooks to tell; see docs/audit/alerts.md')
    .option(
      '--metric-series <count>',
      'sets of labels that the istio_* metrics may have; what is beyond is counted without them',
      '5000',
    )
    .option('--metric-stale <duration>', 'istio_* metrics of calls that did not happen for as long are forgotten', '1h')
    .option(
      '--automatic-scope',
      'tell proxies of the services that they call, and of others when they ask; Sidecars and labels go before',
    )
    .option('--scope-window <duration>', 'calls older than this do not count for automatic scopes', '168h')
    .option('--certificate-ttl <duration>', 'longest lifetime of a certificate', '24h')
    .addOption(
      new Option('--request-jwks-refresh <duration>', 'how often the keys of token issuers (RequestAuthentication) are fetched')
        .env('GATEHOUSE_REQUEST_JWKS_REFRESH')
        .default('5m'),
    )
    .option('--advertise <name>', "further DNS name for the server's own certificate; may be repeated", collect)
    .addOption(diagnosticsOption())
    .addHelpText('after', EXAMPLES)
    .action(serve);
  for (const option of caKeyOptions('ca-')) command.addOption(option);
  return addFederationOptions(
    addCallerOptions(addUpstreamOptions(addPageOptions(addWebhookOptions(addClusterOptions(command))))),
  );
}

async function serve(flags: ServeFlags): Promise<void> {
  const options = parseServeFlags(flags);
  if (!options.ok) {
    process.stderr.write(`gatehouse serve: ${options.reason}\n`);
    process.exitCode = 2;
    return;
  }
  const log = logger();
  try {
    const plane = await startControlPlane(options.value, log, newDiagnostics(flags.diagnostics));
    let ending = false;
    const end = (): void => {
      if (ending) return;
      ending = true;
      plane.close().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ err: error }, 'did not end cleanly');
          process.exit(1);
        },
      );
    };
    process.on('SIGINT', end);
    process.on('SIGTERM', end);
    // After the handlers: whoever reads that it is ready may end it at once.
    const [first] = plane.grpc;
    process.stdout.write(
      `${JSON.stringify({
        ready: true,
        grpc: first === undefined ? null : formatAddress(first),
        grpcAddresses: plane.grpc.map(formatAddress),
        http: formatAddress(plane.http),
        page: plane.page === undefined ? null : formatAddress(plane.page),
        plaintextXds: plane.plaintextXds === undefined ? null : formatAddress(plane.plaintextXds),
        bundleEndpoint: plane.bundleEndpoint === undefined ? null : formatAddress(plane.bundleEndpoint),
        webhooks: plane.webhooks === undefined ? null : formatAddress(plane.webhooks),
        rootCert: plane.rootCertPath,
        snapshot: plane.snapshot,
        pid: process.pid,
      })}\n`,
    );
  } catch (error) {
    process.stderr.write(`gatehouse serve: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}
