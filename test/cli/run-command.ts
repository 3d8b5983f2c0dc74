import { Command } from 'commander';
import { applyCommand } from '../../cli/apply.ts';
import { createCommand } from '../../cli/create.ts';
import { deleteCommand } from '../../cli/delete.ts';
import { getCommand } from '../../cli/get.ts';
import { replaceCommand } from '../../cli/replace.ts';
import { validateCommand } from '../../cli/validate.ts';

export interface RanCommand {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command that reads or changes configuration in this process, with what it writes caught. */
export async function runCommand(...args: readonly string[]): Promise<RanCommand> {
  const program = new Command('gatehouse').exitOverride();
  for (const command of [applyCommand(), createCommand(), replaceCommand(), deleteCommand(), getCommand(), validateCommand()])
    program.addCommand(command.exitOverride());
  const texts = { out: '', err: '' };
  const { stdout, stderr } = process;
  const [writeOut, writeErr] = [stdout.write.bind(stdout), stderr.write.bind(stderr)];
  const code = process.exitCode;
  process.exitCode = 0;
  stdout.write = (text: string | Uint8Array) => ((texts.out += String(text)), true);
  stderr.write = (text: string | Uint8Array) => ((texts.err += String(text)), true);
  try {
    await program.parseAsync(args, { from: 'user' });
    return { code: process.exitCode, ...texts };
  } finally {
    stdout.write = writeOut;
    stderr.write = writeErr;
    process.exitCode = code;
  }
}
