import { linesOf } from './lines.ts';
import { parseRecord } from './read.ts';
import type { LogRecord } from './record.ts';

/** A JWT-SVID that was signed, or was about to be when the process ended. */
export type LoggedToken = Extract<LogRecord, { kind: 'jwt' }>;

export interface TokenQuestion {
  /** A SPIFFE ID. */
  readonly identity?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

/** The JWT-SVIDs of an issuance log, oldest first, in memory that does not grow with it. Rejects when the file cannot be read. */
export async function* readTokens(path: string, question: TokenQuestion = {}): AsyncGenerator<LoggedToken> {
  const [since, until] = [question.since?.toISOString() ?? '', question.until?.toISOString() ?? '\uffff'];
  for await (const { lines } of linesOf(path))
    for (const bytes of lines) {
      const record = parseRecord(bytes.toString('utf8'));
      if (record?.kind !== 'jwt' || record.time < since || record.time >= until) continue;
      if (question.identity === undefined || record.identity === question.identity) yield record;
    }
}
