import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { TogetherChecks } from '../../mesh/admit/check/check-together.ts';
import type { WrittenObjects } from '../../mesh/admit/written-objects.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { findingsByPart } from './findings.ts';

/** What is looked at: read anew each time. */
export interface Watched {
  readonly snapshot: () => Snapshot;
  readonly written: () => WrittenObjects;
  readonly clock: () => Date;
}

/** After this long without a change the mesh is looked at; while changes keep coming, at last after `LATEST_MS`. */
const QUIET_MS = 300;
const LATEST_MS = 5_000;
/** Looking at a large mesh again and again takes at most one part in so many of the time. */
const SHARE = 20;

/** Findings of one code that a running process tells at once; `gatehouse validate` tells all. */
const MOST_PER_CODE = 20;

/** The first of each code, and one line for the rest. */
export function capped(found: readonly Diagnostic[], most = MOST_PER_CODE): readonly Diagnostic[] {
  return [...Map.groupBy(found, ({ code }) => code).values()].flatMap((same) => {
    const shown = same.slice(0, most);
    const last = shown.at(-1);
    if (last === undefined || same.length <= most) return shown;
    const { file, line, severity, code } = last;
    const rest: Diagnostic = {
      file,
      line,
      severity,
      code,
      message: `and more findings of the kind ${code}, ${same.length} in all`,
      hint: 'gatehouse validate -f shows every one',
    };
    return [...shown, rest];
  });
}

/**
 * Looks for what is wrong with the objects together when a mesh that changes has come to rest: never while a change is
 * on its way to proxies.
 */
export class SettledFindings {
  readonly #watched: Watched;
  readonly #tell: () => void;
  readonly #checks = new TogetherChecks();
  /** What is found in the next one is worked out from the differences: until then its lists must not be forgotten. */
  #looked: Snapshot | undefined;
  #found: readonly Diagnostic[] = [];
  #timer: NodeJS.Timeout | undefined;
  #since: number | undefined;
  #looks = 0;
  /** Before then nothing is looked at again. */
  #rest = 0;

  /** @param tell called when `current` gives something new */
  constructor(watched: Watched, tell: () => void) {
    this.#watched = watched;
    this.#tell = tell;
  }

  /** As of the last look. */
  get current(): readonly Diagnostic[] {
    return this.#found;
  }

  changed(): void {
    const now = this.#watched.clock().getTime();
    this.#since ??= now;
    clearTimeout(this.#timer);
    const wait = Math.max(0, Math.min(QUIET_MS, this.#since + LATEST_MS - now), this.#rest - now);
    this.#timer = setTimeout(() => void this.#look(), wait);
    this.#timer.unref();
  }

  /** Between two parts whatever else waits has its turn; a later look makes this one useless. */
  async #look(): Promise<void> {
    this.#since = undefined;
    const look = (this.#looks += 1);
    const { snapshot, written, clock } = this.#watched;
    const found: Diagnostic[] = [];
    let took = 0;
    let began = performance.now();
    this.#looked = snapshot();
    for (const part of findingsByPart(this.#checks, this.#looked, written(), clock())) {
      found.push(...part);
      took += performance.now() - began;
      this.#rest = clock().getTime() + took * SHARE;
      await setImmediate();
      if (look !== this.#looks) return;
      began = performance.now();
    }
    const told = capped(found);
    // The last of several of one code is made anew each time.
    if (isDeepStrictEqual(told, this.#found)) return;
    this.#found = told;
    this.#tell();
  }

  close(): void {
    this.#looks += 1;
    clearTimeout(this.#timer);
  }
}
