import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StaticSecrets } from '../../../routing/static.ts';
import type { TestAuthority } from '../../audit/envoy/certificates.ts';

/** A certificate for an identity as files in a folder of its own. */
export async function secretFiles(authority: TestAuthority, folder: string, ...uris: readonly string[]): Promise<StaticSecrets> {
  const { cert, key } = await authority.issue(...uris);
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string) => {
    const file = join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  return {
    kind: 'files',
    certificate: write('cert.pem', cert),
    key: write('key.pem', key),
    roots: write('root.pem', authority.root),
  };
}
