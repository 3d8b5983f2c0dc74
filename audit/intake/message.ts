import { fromBinary } from '@bufbuild/protobuf';
import { type StreamAccessLogsMessage, StreamAccessLogsMessageSchema } from '#gen/envoy/service/accesslog/v3/als_pb.js';
import type { AccessRecord } from '../model/record.ts';
import { decodeHttp, decodeTcp, decodeTcpBeginning } from './decode.ts';
import type { Directory } from './directory.ts';
import type { Reporter } from './reporter.ts';

/** undefined: it is none. */
export function parseMessage(bytes: Uint8Array): StreamAccessLogsMessage | undefined {
  try {
    return fromBinary(StreamAccessLogsMessageSchema, bytes);
  } catch {
    return undefined;
  }
}

/** Turns a message of a stream into records; pure. */
export function recordsOfMessage(
  message: StreamAccessLogsMessage,
  reporter: Reporter,
  directory: Directory,
  now: Date,
): readonly AccessRecord[] {
  const { logEntries } = message;
  switch (logEntries.case) {
    case 'httpLogs':
      return logEntries.value.logEntry.flatMap((entry) => decodeHttp(entry, reporter, directory, now));
    case 'tcpLogs':
      return logEntries.value.logEntry.flatMap((entry) => decodeTcp(entry, reporter, directory, now));
    case undefined:
      return [];
    default:
      return logEntries satisfies never;
  }
}

/** The connections that a message tells the beginning of. No calls yet: these are recorded when they end. */
export function announcedInMessage(
  { logEntries }: StreamAccessLogsMessage,
  reporter: Reporter,
  directory: Directory,
  now: Date,
): readonly AccessRecord[] {
  if (logEntries.case !== 'tcpLogs') return [];
  return logEntries.value.logEntry.flatMap((entry) => decodeTcpBeginning(entry, reporter, directory, now));
}
