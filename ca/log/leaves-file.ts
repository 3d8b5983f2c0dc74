import { open, stat } from 'node:fs/promises';
import { HASH_BYTES, type TreeHash } from './merkle/hash.ts';

/** The hashes of the records from one up to, not with, another, as far as the file has them. */
export async function leavesIn(path: string, from: number, to: number): Promise<readonly TreeHash[]> {
  const end = Math.min(to, await leafCount(path));
  if (end <= from) return [];
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.alloc((end - from) * HASH_BYTES);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, from * HASH_BYTES);
    const count = Math.floor(bytesRead / HASH_BYTES);
    return Array.from({ length: count }, (_, index) => bytes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES));
  } finally {
    await file.close();
  }
}

/** How many hashes the file holds; none when it is missing. */
export async function leafCount(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return Math.floor((found?.size ?? 0) / HASH_BYTES);
}
