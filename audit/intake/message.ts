import type { AccessRecord } from '../model/record.ts';
import { decodeHttp, decodeTcp, decodeTcpBeginning } from './decode.ts';
import type { Directory } from './directory.ts';
import { type LogMessage, readMessage } from './read-message.ts';
import type { Reporter } from './reporter.ts';

/** undefined: it is none. */
export function parseMessage(bytes: Uint8Array): LogMessage | undefined {
  try {
    return readMessage(bytes);
  } catch {
    return undefined;
  }
}

/** Turns a message of a stream into records; pure. */
export function recordsOfMessage(
  { http, tcp }: LogMessage,
  reporter: Reporter,
  directory: Directory,
  now: Date,
): readonly AccessRecord[] {
  return [
    ...http.flatMap((entry) => decodeHttp(entry, reporter, directory, now)),
    ...tcp.flatMap((entry) => decodeTcp(entry, reporter, directory, now)),
  ];
}

/** The connections that a message tells the beginning of. No calls yet: these are recorded when they end. */
export function announcedInMessage(
  { tcp }: LogMessage,
  reporter: Reporter,
  directory: Directory,
  now: Date,
): readonly AccessRecord[] {
  return tcp.flatMap((entry) => decodeTcpBeginning(entry, reporter, directory, now));
}
