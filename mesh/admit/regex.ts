import { RE2JS } from 're2js';
import type { Field } from './field.ts';

/** Istio refuses longer ones; Envoy compiles each for every proxy. */
const MOST_BYTES = 1024;
/** What Istio's bootstrap lets Envoy compile (`re2.max_program_size.error_level`). */
const MOST_PROGRAM = 32_768;

/** Why a text is no RE2 expression that Envoy would take; undefined when it is one. */
export function regexProblem(expression: string): string | undefined {
  if (Buffer.byteLength(expression) > MOST_BYTES) return `the expression is longer than ${MOST_BYTES} bytes`;
  try {
    const size = RE2JS.compile(expression).programSize();
    return size > MOST_PROGRAM ? `the expression compiles to ${size} steps, more than ${MOST_PROGRAM}` : undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message : 'the expression cannot be read';
  }
}

/** A regular expression in RE2 syntax, as Envoy compiles it. */
export function checkRegex(field: Field, expression: string): void {
  const problem = regexProblem(expression);
  if (problem === undefined) return;
  const perl = /\(\?[=!<]|\\[1-9]/.test(expression);
  field.error(
    'invalid-regex',
    problem,
    perl
      ? 'this is RE2: no look-around and no back-references; write what must match instead'
      : 'see https://github.com/google/re2/wiki/Syntax',
  );
}
