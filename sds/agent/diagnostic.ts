/** Something wrong with the agent's configuration: where, what, and what to do about it. */
export interface ConfigDiagnostic {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** `workloads[2].tokenFile`; empty for the file as a whole. */
  readonly field: string;
  readonly severity: 'error';
  readonly message: string;
  readonly hint?: string | undefined;
}

/** `file:line: severity: field: message (hint)`. */
export function diagnosticLine(diagnostic: ConfigDiagnostic): string {
  const { file, line, field, severity, message, hint } = diagnostic;
  return `${file}:${line}: ${severity}: ${field === '' ? '' : `${field}: `}${message}${hint === undefined ? '' : ` (${hint})`}`;
}
