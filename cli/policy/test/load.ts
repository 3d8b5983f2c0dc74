import { LineCounter, isMap, isNode, isSeq, parseDocument } from 'yaml';
import { readText } from '../../../mesh/source/load.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { type Case, type Lookup, expand } from '../../../policy/expect/expand.ts';
import { readTests } from '../../../policy/expect/read.ts';
import { PLAIN_TEXT, callerFrom, destinationFrom } from '../address.ts';
import { identitiesIn } from '../destinations.ts';

export interface TestFile {
  readonly file: string;
  readonly cases: readonly Case[];
  /** The lines at which tests begin, by their index. */
  readonly lines: readonly number[];
}

export type LoadedTests =
  { readonly ok: true; readonly value: TestFile } | { readonly ok: false; readonly faults: readonly string[] };

function lookupIn(snapshot: Snapshot): Lookup {
  const { trustDomain } = snapshot.meshConfig;
  return {
    caller: (written) => {
      const found = callerFrom(snapshot, written);
      return found.ok ? { ok: true, value: found.value === undefined ? {} : { principal: found.value } } : found;
    },
    destination: (written) => {
      const found = destinationFrom(snapshot, written);
      if (!found.ok) return found;
      const { destination, port } = found.value;
      const numbers = [...new Set(destination.ports.map((one) => one.port))];
      if (port === undefined && numbers.length > 1)
        return { ok: false, reason: `${written} has the ports ${numbers.join(', ')}; write ${written}:PORT` };
      const chosen = port ?? numbers[0];
      const spoken = destination.ports.filter((one) => one.port === chosen).map(({ protocol }) => protocol);
      const protocol = spoken.length > 0 && !spoken.includes('HTTP') ? 'TCP' : 'HTTP';
      const { namespace, labels, hosts } = destination;
      return {
        ok: true,
        value: {
          destination: { namespace, labels, protocol, ...(chosen === undefined ? {} : { port: chosen }) },
          host: hosts[0],
        },
      };
    },
    everybody: [
      ...identitiesIn(snapshot),
      `${trustDomain}/ns/stranger/sa/stranger`,
      'stranger.example/ns/stranger/sa/stranger',
      PLAIN_TEXT,
    ],
  };
}

function linesOf(text: string): {
  readonly value: unknown;
  readonly lines: readonly number[];
  readonly problem: string | undefined;
} {
  const counter = new LineCounter();
  // YAML 1.2 holds JSON. Aliases are bounded, so that a small file cannot become a large one.
  const document = parseDocument(text, { lineCounter: counter });
  const [problem] = document.errors;
  if (problem !== undefined) return { value: undefined, lines: [], problem: problem.message };
  const tests = isMap(document.contents) ? document.contents.get('tests', true) : undefined;
  const items: readonly unknown[] = isSeq(tests) ? tests.items : [];
  const lines = items.map((item) => counter.linePos(isNode(item) ? (item.range?.[0] ?? 0) : 0).line);
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    return { value, lines, problem: undefined };
  } catch (error) {
    return { value: undefined, lines: [], problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Reads a file of tests and looks up in the mesh whom they name. */
export function loadTests(file: string, snapshot: Snapshot): LoadedTests {
  const read = readText(file);
  if (!read.ok) return { ok: false, faults: [`${file}: error: ${read.reason} (${read.hint})`] };
  const { value, lines, problem } = linesOf(read.text);
  if (problem !== undefined) return { ok: false, faults: [`${file}: error: ${problem}`] };
  const { tests, faults } = readTests(value);
  const expanded = faults.length > 0 ? { cases: [], faults } : expand(tests, lookupIn(snapshot));
  if (expanded.faults.length === 0) return { ok: true, value: { file, cases: expanded.cases, lines } };
  const placed = expanded.faults.map((fault) => {
    const index = /^tests\[(\d+)\]/.exec(fault)?.[1];
    return `${file}:${index === undefined ? 1 : (lines[Number(index)] ?? 1)}: error: ${fault}`;
  });
  return { ok: false, faults: placed };
}
