import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { TestAuthority } from '../../audit/envoy/certificates.ts';
import { type RunningTarget, startTarget, type Target } from '../envoy/target.ts';

export interface Policed {
  /** The program. */
  readonly envoy: string;
  /** In which it has a folder of its own. */
  readonly folder: string;
  readonly target: Target;
  /** The target's, and its application's. */
  readonly address: string;
  readonly application: string;
  readonly authority: TestAuthority;
  readonly objects: readonly object[];
  readonly amend?: (config: object) => object;
}

/** The workload `web` in `shop`, whose one port speaks HTTP. */
export const webOn = (port: number): Target => ({
  kind: 'sidecar',
  namespace: 'shop',
  service: 'web',
  labels: { app: 'web' },
  ports: [{ name: 'http', protocol: 'HTTP', service: 80, workload: port }],
});

/** A proxy under some objects, in which there is no error. */
export async function startPoliced({ envoy, folder, objects, ...options }: Policed): Promise<RunningTarget> {
  const own = mkdtempSync(join(folder, 'case-'));
  const file = join(own, 'policies.yaml');
  writeFileSync(file, objects.map((one) => stringify(one)).join('---\n'));
  const running = await startTarget(envoy, { paths: [file], meshConfig: {}, folder: own, ...options });
  const errors = running.diagnostics.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) await running.stop();
  assert.deepEqual(errors, []);
  return running;
}
