/** Ends a subcommand of `gatehouse proxy` with a message: 1 for a finding, 2 for wrong usage. */
export function fail(command: string, code: 1 | 2, message: string): undefined {
  process.stderr.write(`gatehouse proxy ${command}: ${message}\n`);
  process.exitCode = code;
  return undefined;
}
