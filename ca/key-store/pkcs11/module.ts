import { type Library, loadLibrary } from './library.ts';

/**
 * One PKCS#11 module in this process. Keys share it, and C_Finalize must not run while a call is under way, so all calls go
 * through `use`, and a restart waits until they are done.
 */
export interface Module {
  /** Counts each restart: what was opened before it is gone. */
  readonly epoch: () => number;
  use<T>(task: (library: Library) => T | Promise<T>): Promise<T>;
  /** Ends and begins anew: some modules find a token that came back only so. Does nothing when another key did it since that epoch. */
  restart(epoch: number): Promise<void>;
}

const modules = new Map<string, Promise<Module>>();

/** The module at a path, loaded and initialized once in a process: a second C_Initialize is an error in the standard. */
export function moduleAt(path: string): Promise<Module> {
  const known = modules.get(path);
  if (known !== undefined) return known;
  const made = open(path);
  modules.set(path, made);
  made.catch(() => modules.delete(path));
  return made;
}

async function open(path: string): Promise<Module> {
  const library = await loadLibrary(path);
  library.initialize();
  let [epoch, inUse] = [0, 0];
  const state: { restarting?: Promise<void> | undefined } = {};
  let idle: (() => void) | undefined;
  const restart = async (): Promise<void> => {
    if (inUse > 0) await new Promise<void>((resolve) => (idle = resolve));
    epoch++;
    try {
      library.finalize();
    } catch {
      // It was not initialized any more; what counts is the next line.
    }
    library.initialize();
  };
  return {
    epoch: () => epoch,
    async use(task) {
      while (state.restarting !== undefined) await state.restarting.catch(() => undefined);
      inUse++;
      try {
        return await task(library);
      } finally {
        inUse--;
        if (inUse === 0) idle?.();
      }
    },
    async restart(seen) {
      if (seen !== epoch) return;
      state.restarting ??= restart().finally(() => (state.restarting = undefined));
      await state.restarting;
    },
  };
}
