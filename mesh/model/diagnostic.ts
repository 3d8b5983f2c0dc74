/** Where in the input an object or a field stands; `line` counts from 1, and is 0 for an object of a cluster. */
export interface Origin {
  readonly file: string;
  readonly line: number;
}

export type Severity = 'error' | 'warning' | 'info';

/**
 * One finding about the input, for people and for machines.
 * `object` is `Kind namespace/name`; `field` is a path such as `spec.http[0].route[0].weight`; `code` is stable kebab-case;
 * `hint` says what to do next.
 */
export interface Diagnostic extends Origin {
  readonly object?: string;
  readonly field?: string;
  readonly severity: Severity;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** `file:line: severity: message (hint)`: the form in which diagnostics are printed. */
export function formatDiagnostic(found: Diagnostic): string {
  const subject = [found.object, found.field].filter((part) => part !== undefined).join(' ');
  const message = subject === '' ? found.message : `${subject}: ${found.message}`;
  const hint = found.hint === undefined ? '' : ` (${found.hint})`;
  const place = found.line > 0 ? `${found.file}:${found.line}: ` : found.object === undefined ? `${found.file}: ` : '';
  return `${place}${found.severity}: ${message}${hint}`;
}
