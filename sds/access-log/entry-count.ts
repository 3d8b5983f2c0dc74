import { ProtobufReader } from '../../ca/protobuf/reader.ts';

// Tags (number << 3 | 2) of envoy.service.accesslog.v3.StreamAccessLogsMessage, and of one entry in either of its lists.
const HTTP_LOGS = 0x12;
const TCP_LOGS = 0x1a;
const ENTRY = 0x0a;

/** Records in a message of Envoy's access log, counted without decoding them: 0 for what is no such message. */
export function entryCount(message: Uint8Array): number {
  const reader = new ProtobufReader(message);
  let count = 0;
  const entry = (tag: number): boolean => {
    if (tag === ENTRY) count += 1;
    return false;
  };
  try {
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag === HTTP_LOGS || tag === TCP_LOGS) reader.message(entry);
      else reader.skip(tag);
    }
    return count;
  } catch {
    return 0;
  }
}
