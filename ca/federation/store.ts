import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrustDomain } from '../identity/trust-domain.ts';
import { writeAtomically } from '../root/atomic.ts';

/** The last good bundle of each peer, over restarts: with an endpoint that rotates its roots, the file given at first is soon too old. */
export interface BundleStore {
  read(domain: TrustDomain): Promise<string | undefined>;
  write(domain: TrustDomain, text: string): Promise<void>;
  /** Where it is, for messages. */
  where(domain: TrustDomain): string;
}

/** `DIR/federation/TRUSTDOMAIN.json`. */
export function bundleFolder(caDir: string): BundleStore {
  const folder = join(caDir, 'federation');
  const where = (domain: TrustDomain): string => join(folder, `${domain}.json`);
  return {
    where,
    read: (domain) => readFile(where(domain), 'utf8').catch(() => undefined),
    async write(domain, text) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeAtomically(where(domain), text, 0o600);
    },
  };
}
