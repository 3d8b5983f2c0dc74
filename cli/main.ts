import { CommanderError } from 'commander';
import { gatehouse } from './gatehouse.ts';

// Commander ends with 1 on wrong usage, and with 0 after --help; 1 is kept for findings and refusals.
const WRONG_USAGE = 2;

// `gatehouse ... | head` closes the pipe early; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

try {
  await (await gatehouse(process.argv[2])).parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : WRONG_USAGE;
}
