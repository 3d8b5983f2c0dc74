import { constants } from 'node:os';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { destination, type Logger, pino } from 'pino';
import { type Parsed, parsed, refused } from '../ca/identity/parsed.ts';
import { type ConfigDiagnostic, diagnosticLine } from '../sds/agent/diagnostic.ts';
import type { AgentEvent } from '../sds/agent/event.ts';
import { readConfig, runAgent, type RunOptions } from '../sds/agent/run-agent.ts';
import type { CommandEnd } from '../sds/agent/surroundings.ts';
import type { GivenCommand } from '../sds/envoy/command.ts';
import type { AgentStatus } from '../sds/agent/status.ts';
import { systemClock, systemTimers } from '../sds/clock.ts';
import { POD_PATHS } from '../sds/pod/environment.ts';
import { servePodPorts, writePodConfig } from '../sds/pod/run.ts';
import { type ClusterSecretsFlags, clusterSecrets } from './agent/cluster-secrets.ts';
import { type DnsFlags, dnsWish, nameServer } from './agent/dns.ts';
import { logLevel, METRICS_PORT, type PodFlags, podOptionsOf, portOrZero, READY_PORT, threads } from './agent/pod-options.ts';

interface AgentFlags extends PodFlags, ClusterSecretsFlags, DnsFlags {
  readonly config?: string;
  readonly check?: true;
  readonly logLevel: string;
  readonly diagnostics: 'text' | 'json';
}

const STDERR = 2;

function printDiagnostics(diagnostics: readonly ConfigDiagnostic[], format: AgentFlags['diagnostics']): void {
  for (const diagnostic of diagnostics)
    process.stderr.write(`${format === 'json' ? JSON.stringify(diagnostic) : diagnosticLine(diagnostic)}\n`);
}

/** `gatehouse agent`: identities, SDS and Envoys of the workloads on this machine. */
export function agentCommand(): Command {
  return new Command('agent')
    .description('keep workloads in certificates, serve them to Envoy, and run those Envoys')
    .argument('[command...]', 'run this as the Envoy of the one workload, and end when it ends (after --)')
    .option('--config <file>', 'the workloads, as YAML or JSON; followed through its changes')
    .option('--check', 'only check the configuration')
    .addOption(new Option('--log-level <level>', 'of the log on stderr').argParser(logLevel).default('info'))
    .addOption(
      new Option('--pod <kind>', 'be the agent of an injected pod, by its environment')
        .choices(['sidecar', 'router'])
        .conflicts(['config', 'check']),
    )
    .option(
      '--kubernetes-secrets',
      "Secrets that Gateways name are read from the cluster (default with --pod router: by the pod's ServiceAccount)",
    )
    .option(
      '--kubeconfig <file>',
      'with --kubernetes-secrets: how to reach the cluster (default: the own one in a Pod, else as kubectl)',
    )
    .option('--context <name>', "with --kubernetes-secrets: which of the kubeconfig's contexts")
    .option(
      '--dns-port <port>',
      "answer the application's DNS on this port of 127.0.0.1: names of the mesh, and the rest as /etc/resolv.conf says (default with --pod sidecar and ISTIO_META_DNS_CAPTURE: 15053)",
      portOrZero,
    )
    .option('--dns-server <address>', "for the rest of DNS, in place of resolv.conf's; may be repeated", nameServer)
    .option('--domain <name>', 'with --pod: DNS domain of the cluster', 'cluster.local')
    .option('--status-port <port>', 'with --pod: where probes, metrics and hooks are answered; 0: nowhere', portOrZero, 15_020)
    .option('--proxy-log-level <level>', "with --pod: Envoy's", 'warning')
    .option('--proxy-component-log-level <levels>', "with --pod: of Envoy's components", '')
    .option(
      '--concurrency <threads>',
      "with --pod: Envoy's threads (default: the ProxyConfig's, else the container's limit)",
      threads,
    )
    .addOption(
      new Option('--diagnostics <format>', 'how to print mistakes in the configuration')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addHelpText(
      'after',
      `
Tells what happens as JSON lines on stdout: config, issued, started, ready, rotated, failed, expired, exit, stopped.
Ends on SIGTERM or SIGINT after draining its Envoys.

With a command after --, for a container: the configuration has one workload, the command is its Envoy, whose bootstrap (-c) and
defaults are added to it, and whose log is on stderr. When it ends by itself, the agent ends with its exit code.

Examples:
  gatehouse agent --config agent.yaml
  gatehouse agent --config agent.yaml --check
  gatehouse agent --config agent.yaml -- envoy --log-level info --concurrency 2
  gatehouse agent --pod sidecar

A configuration:
  controlPlane: {address: "127.0.0.1:15012", rootCert: /etc/gatehouse/root-cert.pem}
  runDir: /run/gatehouse
  workloads:
  - {namespace: shop, serviceAccount: cart, pod: cart-0, ip: 10.0.0.5, tokenFile: /var/run/secrets/tokens/istio-token}`,
    )
    .action(async (words: readonly string[], flags: AgentFlags) => {
      const given = commandOf(words);
      const defaultEnvoy = process.env['GATEHOUSE_ENVOY'];
      if (given !== undefined && !given.ok) return wrongUsage(given.reason);
      if (flags.pod !== undefined) return runPod(flags, given?.value ?? [defaultEnvoy ?? 'envoy']);
      if (flags.config === undefined) return wrongUsage('give the workloads by --config FILE (or --pod in an injected pod)');
      const file = resolve(flags.config);
      const command = given?.value;
      if (flags.check) {
        const result = await readConfig(file, defaultEnvoy, command);
        if (result.ok) process.stderr.write(`${file}: ${result.config.workloads.length} workloads, no mistakes\n`);
        else fail(result.diagnostics, flags);
        return;
      }
      await run({ file, defaultEnvoy, given: command }, flags);
    });
}

function fail(diagnostics: readonly ConfigDiagnostic[], flags: AgentFlags): void {
  printDiagnostics(diagnostics, flags.diagnostics);
  process.exitCode = 1;
}

function wrongUsage(reason: string): void {
  process.stderr.write(`gatehouse agent: ${reason}\n`);
  process.exitCode = 2;
}

/** What the agent gives to Envoy itself. */
const OURS: readonly string[] = Object.freeze(['-c', '--config-path']);

function commandOf([file, ...args]: readonly string[]): Parsed<GivenCommand> | undefined {
  if (file === undefined) return undefined;
  const own = args.find((arg) => OURS.includes(arg.split('=')[0] ?? ''));
  return own === undefined
    ? parsed([file, ...args])
    : refused(`leave out ${own}: the agent writes the bootstrap (--config-yaml can add to it)`);
}

// What a shell gives for a command that cannot be run, and to one that a signal ended.
const [NOT_STARTED, SIGNALLED] = [127, 128];

function exitCodeOf({ started, code, signal }: CommandEnd): number {
  if (!started) return NOT_STARTED;
  const numbers = new Map<string, number>(Object.entries(constants.signals));
  return code ?? SIGNALLED + (numbers.get(signal ?? '') ?? 0);
}

function logOf({ logLevel }: AgentFlags): Logger {
  return pino({ level: logLevel, base: { program: 'gatehouse-agent' } }, destination({ fd: STDERR, sync: true }));
}

/** The agent of an injected pod: its configuration is made of the pod's environment, and it answers the kubelet as well. */
async function runPod(flags: AgentFlags, given: GivenCommand): Promise<void> {
  const written = await writePodConfig(process.env, podOptionsOf(flags)).catch((error: unknown) => refused(String(error)));
  const quit = Promise.withResolvers<string>();
  let status: (() => AgentStatus) | undefined;
  const { runDir } = POD_PATHS;
  const ports = { statusPort: flags.statusPort, readyPort: READY_PORT, metricsPort: METRICS_PORT };
  const serving = written.ok
    ? await servePodPorts({
        ...ports,
        environment: process.env,
        runDir,
        status: () => status?.(),
        onQuit: () => quit.resolve('asked'),
        log: logOf(flags),
      }).catch((error: unknown) => refused(String(error)))
    : written;
  if (!written.ok || !serving.ok) {
    process.stderr.write(`gatehouse agent: ${written.ok ? (serving.ok ? '' : serving.reason) : written.reason}\n`);
    process.exitCode = 1;
    return;
  }
  const onStart = (of: () => AgentStatus): void => {
    status = of;
  };
  await run({ file: written.value, defaultEnvoy: given[0], given }, flags, { quit: quit.promise, onStart });
  await serving.value?.close();
}

interface Around {
  /** Resolves when somebody besides a signal asks for the end. */
  readonly quit: Promise<string>;
  readonly onStart: (status: () => AgentStatus) => void;
}

async function run(
  source: Pick<RunOptions, 'file' | 'defaultEnvoy' | 'given'>,
  flags: AgentFlags,
  around?: Around,
): Promise<void> {
  const log = logOf(flags);
  // Whoever read the events may be gone; the workloads are served all the same.
  process.stdout.on('error', () => {});
  const emit = (event: AgentEvent) => {
    process.stdout.write(`${JSON.stringify(event)}\n`);
    if (event.event === 'config-refused') printDiagnostics(event.diagnostics, flags.diagnostics);
  };
  const signalled = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.once(signal, () => resolve(signal));
  });
  const ended = Promise.withResolvers<CommandEnd>();
  try {
    const secrets = await clusterSecrets(flags, log);
    const started = await runAgent({
      ...source,
      clusterSecrets: secrets,
      dns: dnsWish(flags),
      log,
      emit,
      onCommandEnd: ended.resolve,
      clock: systemClock,
      timers: systemTimers,
      random: Math.random,
    });
    if (!started.ok) return fail(started.diagnostics, flags);
    around?.onStart(started.status);
    const end = await Promise.race([signalled, ended.promise, ...(around === undefined ? [] : [around.quit])]);
    if (typeof end === 'string') log.info({ signal: end }, 'stopping');
    else log.error(end, 'the command ended; so does the agent');
    await started.stop();
    secrets?.close();
    if (typeof end !== 'string') process.exitCode = exitCodeOf(end);
  } catch (error) {
    log.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
