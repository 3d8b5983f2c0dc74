import type { Severity } from '../../model/diagnostic.ts';

/** What is wrong with one reference; where it stands is known to who checks it. */
export interface Finding {
  readonly severity: Severity;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}
