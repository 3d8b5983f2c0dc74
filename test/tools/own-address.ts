import { randomInt } from 'node:crypto';

/** A loopback address that no other test listens on, for programs that cannot say which port they were given. */
export function ownAddress(): string {
  return `127.${String(randomInt(64, 250))}.${String(randomInt(1, 250))}.${String(randomInt(1, 250))}`;
}
