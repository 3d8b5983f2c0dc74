/** Fields of envoy.service.accesslog.v3.StreamAccessLogsMessage: `http_logs` and `tcp_logs`, in both of which field 1 is one entry. */
const LOGS: readonly number[] = Object.freeze([2, 3]);
const ENTRY = 1;

/** Records in a message of Envoy's access log, counted without decoding them: 0 for what is no such message. */
export function entryCount(message: Uint8Array): number {
  let count = 0;
  const ok = eachField(message, (field, value) => {
    if (LOGS.includes(field)) eachField(value, (inner) => void (count += inner === ENTRY ? 1 : 0));
  });
  return ok ? count : 0;
}

/** Calls back for each field that has a length (wire type 2) of the Protocol Buffers encoding. False when the bytes are no message. */
function eachField(bytes: Uint8Array, found: (field: number, value: Uint8Array) => void): boolean {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; at < bytes.length; factor *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      if (factor > 2 ** 63) break;
    }
    return Number.NaN;
  };
  while (at < bytes.length) {
    const tag = varint();
    const wireType = tag % 8;
    if (wireType === 0) varint();
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else if (wireType === 2) {
      const length = varint();
      const end = at + length;
      if (!(end <= bytes.length)) return false;
      found(Math.floor(tag / 8), bytes.subarray(at, end));
      at = end;
    } else return false;
  }
  return at === bytes.length;
}
