/** The second octets of 10.0.0.0/8 that routes of this machine touch; `all` when one covers the whole of it. */
function takenSubnets(destinations: readonly string[]): ReadonlySet<number> | 'all' {
  const taken = new Set<number>();
  for (const destination of destinations) {
    const match = /^10\.(\d+)\.\d+\.\d+(?:\/(\d+))?$/.exec(destination);
    if (match === null) continue;
    const second = Number(match[1]);
    const prefix = Number(match[2] ?? 32);
    if (prefix <= 8) return 'all';
    const span = prefix >= 16 ? 1 : 2 ** (16 - prefix);
    const first = second - (second % span);
    for (let octet = first; octet < first + span; octet++) taken.add(octet);
  }
  return taken;
}

const PREFERRED = 187;

/** 10.187/16, or the next that no route of this machine touches. A route over all of 10/8 (a VPN) is overridden by the longer one. */
export function chooseSubnet(destinations: readonly string[]): number | undefined {
  const taken = takenSubnets(destinations);
  if (taken === 'all') return PREFERRED;
  for (let step = 0; step < 256; step++) {
    const octet = (PREFERRED + step) % 256;
    if (!taken.has(octet)) return octet;
  }
  return undefined;
}
