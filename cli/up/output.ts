import pc from 'picocolors';
import { type Diagnostic, formatDiagnostic } from '../../mesh/model/diagnostic.ts';

/** Where `up` tells what happens: events for programs on stdout, progress for people on stderr. */
export interface Output {
  event(event: { readonly event: string } & Readonly<Record<string, unknown>>): void;
  /** One step, with the time since the start. */
  step(text: string): void;
  problem(text: string): void;
  diagnostics(found: readonly Diagnostic[]): void;
  /** Text for people on stdout; nothing where stdout is for events. */
  say(text: string): void;
}

export function output(format: 'text' | 'json'): Output {
  const began = performance.now();
  // Whoever read may be gone; the mesh runs on.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const err = (line: string) => void process.stderr.write(`${line}\n`);
  return {
    event: (event) => {
      if (format === 'json') process.stdout.write(`${JSON.stringify(event)}\n`);
    },
    step: (text) => err(`${pc.dim(`[${((performance.now() - began) / 1000).toFixed(1).padStart(5)}s]`)} ${text}`),
    problem: (text) => err(`gatehouse up: ${text}`),
    diagnostics: (found) => {
      for (const diagnostic of found) err(formatDiagnostic(diagnostic));
    },
    say: (text) => {
      if (format === 'text') process.stdout.write(text);
    },
  };
}
