// h2spec, a conformance test of HTTP/2 servers by others, run against a port of 127.0.0.1.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface H2specOptions {
  readonly port: number;
  /** The request's path; default `/`. */
  readonly path?: string;
  /** Over TLS with ALPN `h2`, whatever the certificate; default false. */
  readonly tls?: boolean;
  /** As h2spec names them: `generic/2`, `http2/6.5.3`, `hpack`; default all. */
  readonly sections?: readonly string[];
  /** Seconds that a case waits for an answer; default 2. */
  readonly timeout?: number;
}

export interface H2specCase {
  /** `http2/6.5.3`: numbers of RFC 7540 and 7541, or of h2spec's own list for `generic`. */
  readonly section: string;
  readonly name: string;
  readonly outcome: 'passed' | 'skipped' | 'failed';
  /** Where it failed: what was expected, one a line, and last what came. */
  readonly detail: string;
}

/** Runs the cases, also those that h2spec calls strict. @throws Error when h2spec itself fails */
export async function runH2spec(program: string, options: H2specOptions): Promise<readonly H2specCase[]> {
  const { port, path = '/', tls = false, sections = [], timeout = 2 } = options;
  const work = mkdtempSync(join(tmpdir(), 'gh-h2spec-'));
  const report = join(work, 'report.xml');
  const flags = ['--host', '127.0.0.1', '--port', String(port), '--path', path, '--timeout', String(timeout), '--strict'];
  const child = spawn(program, [...flags, '--junit-report', report, ...(tls ? ['--tls', '--insecure'] : []), ...sections]);
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  try {
    await once(child, 'close');
    // It ends with 1 both for a case that fails and for a server that is not there.
    if (!existsSync(report)) throw new Error(`h2spec made no report: ${printed.slice(-2000)}`);
    return casesOf(readFileSync(report, 'utf8'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

// The report is made by one program in one form; what is within `error` is not escaped.
const CASE = /<testcase package="([^"]*)" classname="([^"]*)"[^>]*>([\s\S]*?)<\/testcase>/g;
const FAULT = /<(?:error|failure)>([\s\S]*)<\/(?:error|failure)>/;

function casesOf(report: string): readonly H2specCase[] {
  return [...report.matchAll(CASE)].map(([, section = '', name = '', body = '']) => {
    const [, detail] = FAULT.exec(body) ?? [];
    const outcome = detail !== undefined ? 'failed' : body.includes('<skipped>') ? 'skipped' : 'passed';
    return { section, name: unescaped(name), outcome, detail: detail ?? '' };
  });
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescaped(text: string): string {
  return text.replace(/&(?:#(\d+)|(\w+));/g, (_, code?: string, name = '') =>
    code === undefined ? (ENTITIES[name] ?? '') : String.fromCodePoint(Number(code)),
  );
}

/** One line for each case with an outcome, in the tool's order. */
export function withOutcome(cases: readonly H2specCase[], outcome: H2specCase['outcome']): readonly string[] {
  return cases
    .filter((one) => one.outcome === outcome)
    .map(({ section, name, detail }) => `${section} ${name}${detail === '' ? '' : `: ${detail.replaceAll('\n', ' | ')}`}`);
}
