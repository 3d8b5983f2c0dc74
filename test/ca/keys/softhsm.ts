import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Context } from 'mocha';

const MODULES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];

/** The PKCS#11 module of SoftHSM; skips the test where there is none. In CI it must be there (setup/system-packages.sh). */
export function softHsmModule(test: Context): string {
  const module = MODULES.find((path) => existsSync(path));
  if (module !== undefined) return module;
  if (process.env['CI']) throw new Error('SoftHSM is needed: run setup/system-packages.sh as root');
  return test.skip();
}

export interface SoftToken {
  readonly dir: string;
  readonly pinFile: string;
  /** The PKCS#11 URI of a key with this label. */
  uri(label: string): string;
}

let shared: string | undefined;

/** Where all tokens of this process are, until it ends. */
function sharedFolder(): string {
  if (shared !== undefined) return shared;
  const made = mkdtempSync(join(tmpdir(), 'gh-softhsm-'));
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  shared = made;
  return made;
}

/**
 * Makes a token. The module reads SOFTHSM2_CONF once, when it is first loaded in this process, so all tests of a process share one folder
 * of tokens; the labels tell them apart.
 */
export function softToken(module: string, label: string): SoftToken {
  const dir = sharedFolder();
  const tokens = join(dir, 'tokens');
  if (!existsSync(tokens)) {
    mkdirSync(tokens, { recursive: true, mode: 0o700 });
    writeFileSync(join(dir, 'softhsm2.conf'), `directories.tokendir = ${tokens}\nlog.level = ERROR\n`);
  }
  process.env['SOFTHSM2_CONF'] = join(dir, 'softhsm2.conf');
  execFileSync('softhsm2-util', ['--init-token', '--free', '--label', label, '--pin', '123456', '--so-pin', '12345678'], {
    stdio: 'pipe',
  });
  const pinFile = join(dir, `${label}.pin`);
  writeFileSync(pinFile, '123456\n', { mode: 0o600 });
  return {
    dir,
    pinFile,
    uri: (object) => `pkcs11:token=${label};object=${object}?module-path=${module}&pin-source=file:${pinFile}`,
  };
}
