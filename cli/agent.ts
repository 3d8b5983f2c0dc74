import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { destination, pino } from 'pino';
import { type ConfigDiagnostic, diagnosticLine } from '../sds/agent/diagnostic.ts';
import type { AgentEvent } from '../sds/agent/event.ts';
import { readConfig, runAgent } from '../sds/agent/run-agent.ts';
import { systemClock, systemTimers } from '../sds/clock.ts';

interface AgentFlags {
  readonly config: string;
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
    .requiredOption('--config <file>', 'the workloads, as YAML or JSON; followed through its changes')
    .option('--check', 'only check the configuration')
    .addOption(
      new Option('--log-level <level>', 'of the log on stderr').choices(['debug', 'info', 'warn', 'error']).default('info'),
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

Examples:
  gatehouse agent --config agent.yaml
  gatehouse agent --config agent.yaml --check

A configuration:
  controlPlane: {address: "127.0.0.1:15012", rootCert: /etc/gatehouse/root-cert.pem}
  runDir: /run/gatehouse
  workloads:
  - {namespace: shop, serviceAccount: cart, pod: cart-0, ip: 10.0.0.5, tokenFile: /var/run/secrets/tokens/istio-token}`,
    )
    .action(async (flags: AgentFlags) => {
      const file = resolve(flags.config);
      const defaultEnvoy = process.env['GATEHOUSE_ENVOY'];
      if (flags.check) {
        const result = await readConfig(file, defaultEnvoy);
        if (result.ok) process.stderr.write(`${file}: ${result.config.workloads.length} workloads, no mistakes\n`);
        else fail(result.diagnostics, flags);
        return;
      }
      await run(file, defaultEnvoy, flags);
    });
}

function fail(diagnostics: readonly ConfigDiagnostic[], flags: AgentFlags): void {
  printDiagnostics(diagnostics, flags.diagnostics);
  process.exitCode = 1;
}

async function run(file: string, defaultEnvoy: string | undefined, flags: AgentFlags): Promise<void> {
  const log = pino({ level: flags.logLevel, base: { program: 'gatehouse-agent' } }, destination({ fd: STDERR, sync: true }));
  // Whoever read the events may be gone; the workloads are served all the same.
  process.stdout.on('error', () => {});
  const emit = (event: AgentEvent) => {
    process.stdout.write(`${JSON.stringify(event)}\n`);
    if (event.event === 'config-refused') printDiagnostics(event.diagnostics, flags.diagnostics);
  };
  const signalled = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.once(signal, () => resolve(signal));
  });
  try {
    const started = await runAgent({
      file,
      defaultEnvoy,
      log,
      emit,
      clock: systemClock,
      timers: systemTimers,
      random: Math.random,
    });
    if (!started.ok) return fail(started.diagnostics, flags);
    log.info({ signal: await signalled }, 'stopping');
    await started.stop();
  } catch (error) {
    log.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
