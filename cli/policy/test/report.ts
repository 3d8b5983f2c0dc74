import type { PolicyCoverage } from '../../../policy/expect/coverage.ts';
import type { Result } from '../../../policy/expect/run.ts';

/** One request of a test as it was decided, with where its test stands. */
export interface Ran extends Result {
  readonly file: string;
  readonly line: number;
  /** Why it is decided as it is, step by step; only of failures. */
  readonly explanation: string | undefined;
}

export interface Report {
  readonly results: readonly Ran[];
  readonly coverage: readonly PolicyCoverage[];
}

/** The name of a request among all of its file. */
export function nameOf({ case: { test, label } }: Result): string {
  return label === '' ? test.name : `${test.name}: ${label}`;
}

export function countsOf({ results }: Report): { readonly passed: number; readonly failed: number } {
  const failed = results.filter(({ wrong }) => wrong !== undefined).length;
  return { passed: results.length - failed, failed };
}

/** Policies that apply to nothing that is tested. */
export function untested({ coverage }: Report): readonly PolicyCoverage[] {
  return coverage.filter(({ considered }) => considered === 0);
}

/** One machine-readable name for each way a result may be. */
export function statusOf({ wrong }: Result): 'passed' | 'failed' {
  return wrong === undefined ? 'passed' : 'failed';
}
