/**
 * The beginning of loopback addresses that no other test process uses at the same time. Envoy must bind the very ports that
 * policies name, so that each world needs an address of its own.
 */
export function ownNet(): string {
  return `127.${64 + (process.pid % 128)}.${(process.pid >> 7) % 256}`;
}
