import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { type NamedRequest, readRequests } from '../../policy/evaluate/read-requests.ts';
import { fail } from './mesh.ts';

/** The questions in a file, or undefined when it cannot be used (said on stderr). */
export function requestsIn(command: string, file: string): readonly NamedRequest[] | undefined {
  let input: unknown;
  try {
    // YAML 1.2 holds JSON. Aliases are bounded, so that a small file cannot become a large one.
    input = parse(readFileSync(file === '-' ? 0 : file, 'utf8'), { maxAliasCount: 100 });
  } catch (error) {
    return fail(command, 2, `${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { requests, faults, unknown } = readRequests(input);
  for (const one of unknown.slice(0, 20)) process.stderr.write(`${file}: warning: ${one}\n`);
  if (faults.length === 0) return requests;
  for (const fault of faults.slice(0, 20)) process.stderr.write(`${file}: error: ${fault}\n`);
  return fail(command, 2, `${file} has ${faults.length} fault(s); see "gatehouse policy check --help" for its form`);
}
