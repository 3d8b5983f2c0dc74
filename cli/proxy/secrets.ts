import { resolve } from 'node:path';
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { readConfig } from '../../sds/agent/run-agent.ts';
import type { AgentStatus, WorkloadStatus } from '../../sds/agent/status.ts';
import { agentStatus } from './agent-status.ts';
import { fail } from './fail.ts';

interface SecretsFlags {
  readonly runDir?: string;
  readonly config?: string;
  readonly output: string;
}

async function runDirOf({ runDir, config }: SecretsFlags): Promise<string | undefined> {
  if (runDir !== undefined && config !== undefined) return fail('secrets', 2, '--run-dir and --config say the same: give one');
  if (runDir !== undefined) return resolve(runDir);
  if (config === undefined) return fail('secrets', 2, 'which agent? (give its --run-dir, or its --config)');
  const read = await readConfig(resolve(config));
  if (read.ok) return read.config.runDir;
  const [first] = read.diagnostics;
  return fail('secrets', 2, `${config}: ${first?.message ?? 'cannot be used'} (gatehouse agent --check tells all)`);
}

/** A workload without a valid certificate, or whose renewal fails, is a finding. */
function isWell({ certificate, failuresInARow }: WorkloadStatus): boolean {
  return certificate !== null && !certificate.expired && failuresInARow === 0;
}

function accepted(value: boolean | null): string {
  return value === null ? '-' : value ? 'yes' : 'not yet';
}

/** `in 4 h 12 min`, or `3 s ago`. */
export function distance(iso: string, now: number): string {
  const seconds = Math.round((Date.parse(iso) - now) / 1000);
  const all = Math.abs(seconds);
  const [days, hours, minutes] = [Math.floor(all / 86_400), Math.floor((all % 86_400) / 3600), Math.floor((all % 3600) / 60)];
  const text =
    days > 0 ? `${days} d ${hours} h` : hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min` : `${all} s`;
  return seconds < 0 ? `${text} ago` : `in ${text}`;
}

function printTable({ workloads, roots, time }: AgentStatus): void {
  const now = Date.parse(time);
  const table = new Table({
    head: ['WORKLOAD', 'IDENTITY', 'SERIAL', 'ENDS', 'RENEWS', 'ENVOY HAS IT', 'LAST ERROR'],
    style: { head: [], border: [], compact: true },
  });
  for (const { workload, identity, certificate, nextAttempt, acknowledged, lastError, failuresInARow } of workloads) {
    table.push([
      workload,
      identity,
      certificate?.serial ?? 'none',
      certificate === null ? '-' : distance(certificate.notAfter, now),
      nextAttempt === null ? 'now' : distance(nextAttempt, now),
      accepted(acknowledged.certificate),
      lastError === null ? '-' : `${lastError.code}: ${lastError.reason}${failuresInARow === 0 ? ' (recovered)' : ''}`,
    ]);
  }
  process.stdout.write(`${table.toString()}\n\nRoots:\n`);
  for (const { subject, sha256, notAfter } of roots)
    process.stdout.write(`  ${subject}  ends ${distance(notAfter, now)}  SHA-256 ${sha256}\n`);
}

export function secretsCommand(): Command {
  return new Command('secrets')
    .description("each workload's certificate, as the agent on this machine has it")
    .option('--run-dir <dir>', "the agent's runDir")
    .option('--config <file>', "the agent's configuration, which names its runDir")
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['table', 'json']).default('table'))
    .addHelpText(
      'after',
      `
Exits with 1 when a workload has no valid certificate, or its renewal fails.

Examples:
  gatehouse proxy secrets --run-dir /run/gatehouse
  gatehouse proxy secrets --config agent.yaml -o json`,
    )
    .action(async (flags: SecretsFlags) => {
      const runDir = await runDirOf(flags);
      if (runDir === undefined) return;
      try {
        const status = await agentStatus(runDir);
        if (flags.output === 'json') process.stdout.write(`${JSON.stringify(status, null, 2)}\n`);
        else printTable(status);
        if (!status.workloads.every(isWell)) process.exitCode = 1;
      } catch (error) {
        fail('secrets', 1, error instanceof Error ? error.message : String(error));
      }
    });
}
