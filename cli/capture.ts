import { Command, Option } from 'commander';
import { NOTHING, restoreText } from '../kubernetes/capture/restore.ts';
import { captureTable, type Family } from '../kubernetes/capture/rules.ts';
import { applyCapture, hasIpv6, obstacle, type Outcome, removeCapture } from './capture/apply.ts';
import { addCaptureOptions, type CaptureFlags, captureOptionsOf } from './capture/options.ts';
import { probeCapture } from './capture/probe.ts';

interface Flags extends CaptureFlags {
  readonly ipv6: 'auto' | 'on' | 'off';
  readonly cleanup?: true;
  readonly dryRun?: true;
  readonly probe?: true;
  readonly output?: 'json';
  readonly logLevel: string;
}

/** `gatehouse capture`: leads the traffic of this network namespace through a proxy, or no longer. */
export function captureCommand(): Command {
  const command = new Command('capture')
    .description("lead the traffic of a pod's network namespace through its proxy (iptables)")
    .addOption(new Option('--ipv6 <when>', 'set rules for IPv6 as well').choices(['auto', 'on', 'off']).default('auto'))
    .addOption(new Option('--dry-run', 'print the rules, change nothing').conflicts(['cleanup', 'probe']))
    .addOption(new Option('--cleanup', 'take all rules of ours away').conflicts('probe'))
    .option('--probe', "only see whether traffic is captured; as the proxy's user, before the proxy starts")
    .addOption(new Option('--output <format>', 'print the result as JSON').choices(['json']))
    .addOption(new Option('--log-level <level>', 'of what is told on stderr').default('info'))
    .addHelpText(
      'after',
      `
Works in the network namespace in which it runs, on chains of its own (GATEHOUSE_…), and touches no other rules. The kernel takes each family's rules as a whole: killed at any moment,
it leaves what was there or what is to be, and run again it makes the rest. Run twice it changes nothing. Needs CAP_NET_ADMIN and CAP_NET_RAW, iptables and ip6tables.

--ipv6 auto sets rules for IPv6 where the kernel can, and fails where it cannot and there are IPv6 addresses: they would not be captured.

Examples:
  gatehouse capture
  gatehouse capture --exclude-outbound-ranges 169.254.169.254/32 --exclude-inbound-ports 15090,15021,15020
  gatehouse capture --include-outbound-ranges 10.96.0.0/12,fd00::/8 --dry-run
  ip netns exec pod gatehouse capture --cleanup

Exit code: 0 when it is done (or captured, with --probe), 1 when it could not be done, 2 for wrong usage.`,
    )
    .action((flags: Flags) => capture(flags));
  return addCaptureOptions(command);
}

type Step = Outcome & { readonly family: Family; readonly message: string };

async function capture(flags: Flags): Promise<void> {
  const options = captureOptionsOf(flags);
  if (flags.dryRun) {
    for (const family of [4, 6] as const) {
      if (family === 6 && flags.ipv6 === 'off') continue;
      process.stdout.write(
        `# ${family === 4 ? 'iptables' : 'ip6tables'}-restore --noflush\n${restoreText(captureTable(options, family), NOTHING)}`,
      );
    }
    return;
  }
  const families = flags.probe ? probed(flags) : await changeable(flags);
  const steps: Step[] = [];
  for (const family of families) {
    if (typeof family !== 'number') steps.push(family);
    else if (flags.probe) {
      const { ok, message } = await probeCapture(options, family);
      steps.push(ok ? { ok, family, message } : { ok, family, message, reason: message });
    } else {
      const outcome = flags.cleanup ? await removeCapture(family) : await applyCapture(options, family);
      const message = flags.cleanup ? 'nothing is captured' : 'traffic is captured';
      steps.push(
        outcome.ok ? { ok: true, family, message } : { ok: false, family, message: outcome.reason, reason: outcome.reason },
      );
    }
  }
  print(steps, flags);
  if (steps.some(({ ok }) => !ok)) process.exitCode = 1;
}

function probed(flags: Flags): readonly Family[] {
  return flags.ipv6 === 'on' || (flags.ipv6 === 'auto' && hasIpv6()) ? [4, 6] : [4];
}

/** The families to set rules for; IPv6 may be left out where there is none. */
async function changeable({ ipv6, cleanup }: Flags): Promise<readonly (Family | Step)[]> {
  if (ipv6 === 'off') return [4];
  const reason = await obstacle(6);
  if (reason === undefined) return [4, 6];
  if (ipv6 === 'auto' && (cleanup === true || !hasIpv6())) return [4];
  const message = `IPv6 traffic cannot be captured: ${reason} (install ip6tables, or take the IPv6 addresses away; --ipv6 off leaves them uncaptured)`;
  return [4, { ok: false, family: 6, message, reason: message }];
}

function print(steps: readonly Step[], { output, logLevel }: Flags): void {
  if (output === 'json') {
    const rows = steps.map(({ family, ok, message }) => ({ family: `IPv${family}`, ok, message }));
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  for (const { ok, family, message } of steps) {
    if (ok && ['error', 'warn', 'warning', 'none'].includes(logLevel)) continue;
    process.stderr.write(`gatehouse capture: IPv${family}: ${message}\n`);
  }
}
