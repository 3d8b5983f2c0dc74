import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { TestAuthority } from '../../audit/envoy/certificates.ts';
import type { Envoy } from '../../audit/envoy/process.ts';
import { compiledFor } from '../compiled.ts';
import { startStaticProxy } from '../envoy/static-proxy.ts';
import { startUpstream, type Upstream } from '../envoy/upstream.ts';
import type { Places } from './world.ts';

/** The servers, and the two proxies in front of them with what is compiled for them. */
export async function startEnvoys(
  envoy: string,
  snapshot: Snapshot,
  { servers, upstreamPort }: Places,
): Promise<{ close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  const upstreams: Upstream[] = [];
  const proxies: Envoy[] = [];
  const close = async () => {
    await Promise.all(proxies.map((one) => one.stop()));
    await Promise.all(upstreams.map((one) => one.close()));
    rmSync(folder, { recursive: true });
  };
  try {
    for (const [name, address] of Object.entries(servers)) upstreams.push(await startUpstream(name, address, upstreamPort));
    const authority = await TestAuthority.create();
    for (const name of ['gateway:istio-system/ingress', 'default/client']) {
      const place = mkdtempSync(join(folder, 'proxy-'));
      const compiled = compiledFor(snapshot, name);
      proxies.push(await startStaticProxy({ envoy, compiled, folder: place, account: 'default/default', authority }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}
