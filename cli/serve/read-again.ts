import { statSync } from 'node:fs';

const LOOK_MS = 2_000;

function stampOf(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? '' : `${found.ino} ${found.size} ${found.mtimeMs}`;
}

/**
 * What a file holds now; looked at again when somebody asks, every two seconds at most.
 * @param otherwise while it cannot be read: what was taken out of it must not count on
 * @throws Error when it cannot be read at the start
 */
export function readAgain<T>(
  file: string,
  read: (file: string) => T,
  otherwise: T,
  clock: () => Date,
  complain: (error: unknown) => void,
): () => T {
  // Before it is read: a change meanwhile is seen at the next look.
  let stamp = stampOf(file);
  let [value, looked] = [read(file), clock().getTime()];
  return () => {
    const now = clock().getTime();
    if (now - looked < LOOK_MS && now >= looked) return value;
    looked = now;
    const current = stampOf(file);
    if (current === stamp) return value;
    stamp = current;
    try {
      value = read(file);
    } catch (error) {
      complain(error);
      value = otherwise;
    }
    return value;
  };
}
