import { alikeAtBegin, alikeAtEnd } from '../model/list-difference.ts';

/** Files between two others have ranks between theirs, until there is no room. */
const LEAST_GAP = 2 ** -20;

export interface Ranked {
  readonly gone: readonly string[];
  readonly come: readonly string[];
  /** Files that were there before stand in another order. */
  readonly reordered: boolean;
}

/** The places of files among each other, kept while files come and go without touching those of others. */
export class FileRanks {
  #ranks = new Map<string, number>();
  #files: readonly string[] = [];

  /** 0 for a file that is not there. */
  of(file: string): number {
    return this.#ranks.get(file) ?? 0;
  }

  /** @param files all of them, in order */
  adopt(files: readonly string[]): Ranked {
    const before = this.#files;
    this.#files = files;
    const most = Math.min(before.length, files.length);
    const begin = alikeAtBegin(before, files, most);
    const end = alikeAtEnd(before, files, most - begin);
    const [old, now] = [before.slice(begin, before.length - end), files.slice(begin, files.length - end)];
    const [wasThere, isThere] = [new Set(old), new Set(now)];
    const ranked = {
      gone: old.filter((file) => !isThere.has(file)),
      come: now.filter((file) => !wasThere.has(file)),
      reordered: !inOrder(now.flatMap((file) => (wasThere.has(file) ? this.of(file) : []))),
    };
    const low = begin === 0 ? 0 : this.of(files[begin - 1] ?? '');
    const high = end === 0 ? low + now.length + 1 : this.of(files[files.length - end] ?? '');
    const gap = (high - low) / (now.length + 1);
    if (gap < LEAST_GAP) this.#ranks = new Map(files.map((file, at) => [file, at + 1]));
    else {
      for (const file of ranked.gone) this.#ranks.delete(file);
      for (const [at, file] of now.entries()) this.#ranks.set(file, low + gap * (at + 1));
    }
    return ranked;
  }
}

function inOrder(ranks: readonly number[]): boolean {
  return ranks.every((rank, at) => at === 0 || rank > (ranks[at - 1] ?? 0));
}
