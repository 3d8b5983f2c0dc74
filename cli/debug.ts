import { Command } from 'commander';
import { ask } from './proxy/control-plane-api.ts';

interface DebugFlags {
  readonly http: string;
  readonly seconds?: string;
}

interface Captured {
  readonly file: string;
}

const HEAP_PATIENCE_MS = 600_000;

function address(command: Command): Command {
  return command.option('--http <host:port>', "the control plane's --http-address", '127.0.0.1:15014');
}

async function capture(name: string, http: string, path: string, patience: number): Promise<void> {
  const asked = await ask<Captured>(http, 'POST', path, patience);
  if (asked.ok) return void process.stdout.write(`${asked.value.file}\n`);
  process.stderr.write(`gatehouse debug ${name}: ${asked.reason}\n`);
  process.exitCode = asked.kind === 'usage' ? 2 : 1;
}

/** `gatehouse debug`: where a running control plane spends its time and its memory. */
export function debugCommand(): Command {
  const profile = address(new Command('profile'))
    .description('profile the CPU of a running control plane; prints the file that it wrote')
    .option('--seconds <number>', 'how long', '10')
    .addHelpText('after', '\nExamples:\n  gatehouse debug profile --seconds 30')
    .action(async ({ http, seconds = '10' }: DebugFlags) => {
      const number = Number(seconds);
      if (number > 0 && number <= 300)
        return capture('profile', http, `/debug/profile?seconds=${number}`, number * 1000 + 60_000);
      process.stderr.write(`gatehouse debug profile: --seconds: ${seconds} is not more than 0 and at most 300\n`);
      process.exitCode = 2;
    });
  const heap = address(new Command('heap'))
    .description('write all that is on the heap of a running control plane; it stands still meanwhile')
    .addHelpText('after', '\nExamples:\n  gatehouse debug heap')
    .action(({ http }: DebugFlags) => capture('heap', http, '/debug/heap', HEAP_PATIENCE_MS));
  return new Command('debug')
    .description('where a running control plane spends its time and its memory')
    .addHelpText(
      'after',
      `
Only for a control plane on this machine that was started with --allow-captures. Files are written to its --ca-dir, for its owner only: a heap
holds keys and tokens. Chrome's developer tools and speedscope read them.

Examples:
  gatehouse debug profile --seconds 30
  gatehouse debug heap`,
    )
    .addCommand(profile)
    .addCommand(heap);
}
