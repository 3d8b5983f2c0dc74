import type { CompiledProxy } from '../../../routing/compile.ts';
import { staticConfig } from '../../../routing/static.ts';
import { TestAuthority } from '../../audit/envoy/certificates.ts';
import { type Envoy, startEnvoy } from '../../audit/envoy/process.ts';
import { secretFiles } from './secrets.ts';

export interface StaticProxy {
  /** The program. */
  readonly envoy: string;
  readonly compiled: CompiledProxy;
  /** Of its own, for its configuration and its certificate. */
  readonly folder: string;
  /** `NAMESPACE/SERVICEACCOUNT`, which its certificate names. */
  readonly account: string;
  /** Who issues that; one that nobody else trusts if there is none. */
  readonly authority?: TestAuthority;
  readonly node?: { readonly id: string; readonly cluster: string };
  /** What the configuration is replaced by before Envoy reads it. */
  readonly amend?: (config: object) => object;
}

/** A real Envoy with all that is compiled for a proxy as its static configuration. */
export async function startStaticProxy(proxy: StaticProxy): Promise<Envoy> {
  const { envoy, compiled, folder, account, authority, node = { id: 'test', cluster: 'test' }, amend } = proxy;
  const [namespace = '', name = ''] = account.split('/');
  const identity = `spiffe://cluster.local/ns/${namespace}/sa/${name}`;
  const config = staticConfig(compiled, {
    node,
    secrets: await secretFiles(authority ?? (await TestAuthority.create()), folder, identity),
    accessLog: { kind: 'none' },
    admin: { address: '127.0.0.1', port: 0 },
  });
  const written = Object(config) as object;
  return startEnvoy(envoy, amend?.(written) ?? written, folder);
}
