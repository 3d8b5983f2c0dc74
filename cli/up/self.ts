import type { ChildCommand } from './child.ts';
import { diesWithUs } from './dies-with-us.ts';

/** Another command of this very program, compiled or not. */
export function self(args: readonly string[]): ChildCommand {
  const [file = process.execPath, ...rest] = [
    ...diesWithUs('TERM'),
    process.execPath,
    ...process.execArgv,
    process.argv[1] ?? '',
    ...args,
  ];
  return { file, args: rest };
}
