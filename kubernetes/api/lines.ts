import { Unreachable } from './api-error.ts';

/** etcd takes objects of 1.5 MiB by default; as JSON in an event they are somewhat larger. */
const LONGEST_LINE = 16 * 1024 * 1024;

/** The lines of a stream of bytes, without the ends of lines; a last line that broke off is left out. */
export async function* linesOf(stream: AsyncIterable<unknown>): AsyncGenerator<string> {
  let open: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    let bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10)) {
      open.push(bytes.subarray(0, end));
      const line = Buffer.concat(open).toString('utf8');
      open = [];
      size = 0;
      bytes = bytes.subarray(end + 1);
      if (line !== '') yield line;
    }
    size += bytes.length;
    if (size > LONGEST_LINE) throw new Unreachable(`an event has more than ${LONGEST_LINE} bytes`);
    if (bytes.length > 0) open.push(bytes);
  }
}
