import type { Diagnostic, Severity } from '../model/diagnostic.ts';

/** Collects what is found about one object; an object with an error is not admitted. */
export class Report {
  readonly file: string;
  readonly object: string | undefined;
  /** Lines of the file that stand before the document whose lines are reported. */
  readonly offset: number;
  readonly #found: Diagnostic[] = [];
  #failed = false;

  constructor(file: string, object: string | undefined, offset = 0) {
    this.file = file;
    this.object = object;
    this.offset = offset;
  }

  get failed(): boolean {
    return this.#failed;
  }

  get diagnostics(): readonly Diagnostic[] {
    return this.#found;
  }

  add(severity: Severity, line: number, field: string, code: string, message: string, hint?: string): void {
    if (severity === 'error') this.#failed = true;
    this.#found.push({
      file: this.file,
      line: line + this.offset,
      ...(this.object === undefined ? {} : { object: this.object }),
      ...(field === '' ? {} : { field }),
      severity,
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}
