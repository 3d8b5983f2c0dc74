import { join, resolve } from 'node:path';
import type { JsonValue } from '@bufbuild/protobuf';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { Proxy } from '../../mesh/model/proxy.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { DiagnosticsFormat } from '../input/options.ts';
import type { CompiledProxy } from '../../routing/compile.ts';
import { staticConfig, type StaticSecrets } from '../../routing/static.ts';

/** What commander hands over. */
export interface CompileFlags {
  readonly filename: readonly string[];
  readonly proxy: string;
  readonly meshConfig?: string;
  readonly static: boolean;
  readonly certificates?: string;
  readonly sdsSocket?: string;
  readonly diagnostics: DiagnosticsFormat;
  readonly output: 'yaml' | 'json';
}

/** Istio's names inside its `cacerts`-like folders, and those that its agent writes with OUTPUT_CERTS. */
function secretsOf(flags: CompileFlags): Parsed<StaticSecrets> {
  if (flags.certificates !== undefined && flags.sdsSocket !== undefined)
    return { ok: false, reason: '--certificates and --sds-socket exclude each other' };
  if (flags.sdsSocket !== undefined) return { ok: true, value: { kind: 'sds', socket: resolve(flags.sdsSocket) } };
  const dir = resolve(flags.certificates ?? 'certs');
  return {
    ok: true,
    value: {
      kind: 'files',
      certificate: join(dir, 'cert-chain.pem'),
      key: join(dir, 'key.pem'),
      roots: join(dir, 'root-cert.pem'),
    },
  };
}

/** A bootstrap with everything in it; access logs go to stdout. */
export function staticForm(compiled: CompiledProxy, proxy: Proxy, snapshot: Snapshot, flags: CompileFlags): Parsed<JsonValue> {
  const secrets = secretsOf(flags);
  if (!secrets.ok) return secrets;
  const { workload, instance } = proxy;
  const domain = `${workload.namespace}.svc.${snapshot.meshConfig.clusterDomain}`;
  const kind = proxy.kind === 'gateway' ? 'router' : 'sidecar';
  const id = `${kind}~${instance.address}~${instance.name}.${workload.namespace}~${domain}`;
  return {
    ok: true,
    value: staticConfig(compiled, {
      node: { id, cluster: `${workload.name}.${workload.namespace}` },
      secrets: secrets.value,
      accessLog: { kind: 'stdout' },
    }),
  };
}
