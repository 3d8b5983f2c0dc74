import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { Session } from 'node:inspector/promises';
import { join } from 'node:path';

/** Takes profiles of this process, one at a time. */
export interface Capture {
  /** Profiles the CPU for a time. @returns the file */
  cpu(seconds: number): Promise<string>;
  /** Writes all that is on the heap; the process stands still meanwhile. @returns the file */
  heap(): Promise<string>;
}

export class CaptureBusy extends Error {}

/**
 * Captures in V8's own formats, which Chrome's developer tools and speedscope read. A heap has everything that the process knows, keys and tokens
 * included, so files are for their owner only.
 * @param dir where files go; the authority's folder, which is private
 */
export function inspectorCapture(dir: string, clock: () => Date): Capture {
  let busy = false;
  const alone = async (take: (session: Session) => Promise<string>): Promise<string> => {
    if (busy) throw new CaptureBusy('another capture is under way (wait for its end)');
    busy = true;
    const session = new Session();
    session.connect();
    try {
      return await take(session);
    } finally {
      session.disconnect();
      busy = false;
    }
  };
  const file = (kind: string): string =>
    join(dir, `${kind}-${clock().toISOString().replaceAll(':', '')}.${EXTENSION[kind] ?? ''}`);
  return {
    cpu: (seconds) =>
      alone(async (session) => {
        await session.post('Profiler.enable');
        await session.post('Profiler.start');
        await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
        const { profile } = await session.post('Profiler.stop');
        return write(file('cpu'), (put) => put(JSON.stringify(profile)));
      }),
    heap: () =>
      alone((session) =>
        write(file('heap'), async (put) => {
          session.on('HeapProfiler.addHeapSnapshotChunk', ({ params }) => put(params.chunk));
          await session.post('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
        }),
      ),
  };
}

const EXTENSION: Readonly<Record<string, string>> = Object.freeze({ cpu: 'cpuprofile', heap: 'heapsnapshot' });

/** Writes a new file, for its owner only. */
async function write(path: string, fill: (put: (text: string) => void) => Promise<void> | void): Promise<string> {
  const out = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  await once(out, 'open');
  await fill((text) => void out.write(text));
  out.end();
  await once(out, 'close');
  return path;
}
