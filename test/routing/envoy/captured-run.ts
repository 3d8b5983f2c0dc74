import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CompiledProxy } from '../../../routing/compile.ts';
import { staticConfig } from '../../../routing/static.ts';
import type { TestAuthority } from '../../audit/envoy/certificates.ts';
import { envoyPath } from '../../audit/envoy/process.ts';
import type { World } from './captured-pod.ts';
import { secretFiles } from './secrets.ts';

const SCRIPT = fileURLToPath(new URL('./captured-pod.ts', import.meta.url));
const ENVOY_UID = 1337;

/** Skips a suite where no pod can be captured; with CI set, fails it instead. */
export function capturedOrSkip(context: Mocha.Context): void {
  const able = process.platform === 'linux' && process.getuid?.() === 0 && envoyPath() !== undefined;
  if (able) return;
  if (process.env['CI'] !== undefined) throw new Error('network namespaces need root on Linux, and GATEHOUSE_ENVOY an Envoy');
  context.skip();
}

/** Asks the questions in a captured pod whose proxy is this one, in the real Envoy: an answer for each. */
export async function inCapturedPod(
  compiled: CompiledProxy,
  identity: string,
  authority: TestAuthority,
  world: World,
): Promise<readonly unknown[]> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  try {
    const config = staticConfig(compiled, {
      node: { id: 'test', cluster: 'test' },
      secrets: await secretFiles(authority, folder, identity),
      accessLog: { kind: 'none' },
      admin: { address: '127.0.0.1', port: 15_000 },
    });
    writeFileSync(join(folder, 'envoy.json'), JSON.stringify(config));
    for (const file of readdirSync(folder)) chownSync(join(folder, file), ENVOY_UID, ENVOY_UID);
    chownSync(folder, ENVOY_UID, ENVOY_UID);
    chmodSync(folder, 0o700);
    const args = [
      '--net',
      '--mount',
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      SCRIPT,
      folder,
      envoyPath() ?? '',
    ];
    return JSON.parse(
      execFileSync('unshare', args, {
        input: JSON.stringify(world),
        stdio: ['pipe', 'pipe', 'pipe'],
        timeout: 50_000,
      }).toString(),
    ) as readonly unknown[];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
