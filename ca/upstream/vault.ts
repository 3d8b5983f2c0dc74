import { refuse, outcome } from '../refusal.ts';
import { callJson, record } from './https.ts';
import { readSecret } from './secret-file.ts';
import type { Upstream } from './upstream.ts';

export interface VaultOptions {
  /** `https://host:8200/v1/pki/root/sign-intermediate`, made by `vaultEndpoint`. */
  readonly endpoint: URL;
  readonly tokenFile: string;
  /** For servers with namespaces: the header X-Vault-Namespace. */
  readonly namespace?: string | undefined;
  readonly rootsPem?: string | undefined;
  readonly timeoutMs: number;
}

/** Where a server's PKI engine signs intermediates: `https://host:8200` has it at `pki`, `https://host:8200/pki/mesh` at `pki/mesh`. */
export function vaultEndpoint(server: URL): URL {
  const mount = server.pathname.replace(/^\/(v1\/)?/, '').replace(/\/$/, '') || 'pki';
  return new URL(`/v1/${mount}/root/sign-intermediate`, server);
}

/** The PKI engine of HashiCorp Vault, and of OpenBao, which has the same API: `POST /v1/MOUNT/root/sign-intermediate`. */
export function vaultUpstream({ endpoint, tokenFile, namespace, rootsPem, timeoutMs }: VaultOptions): Upstream {
  return {
    name: `vault ${endpoint.origin}`,
    async requestIntermediate({ csr, commonName, uri, ttlSeconds }) {
      const token = await readSecret(tokenFile);
      if (!token.ok) return refuse('unavailable', token.reason);
      const answered = await callJson(
        {
          method: 'POST',
          url: endpoint,
          headers: { 'x-vault-token': token.value, ...(namespace !== undefined && { 'x-vault-namespace': namespace }) },
          body: {
            csr,
            common_name: commonName,
            organization: 'Gatehouse',
            uri_sans: uri,
            exclude_cn_from_sans: true,
            // It signs leaves, and nothing that signs.
            max_path_length: 0,
            ttl: `${ttlSeconds}s`,
            format: 'pem',
          },
        },
        { rootsPem, timeoutMs },
      );
      if (!answered.ok) return answered;
      const { certificate, issuing_ca: issuingCa, ca_chain: chain } = record(record(answered.value)['data']);
      const above: readonly unknown[] = Array.isArray(chain) ? chain : [issuingCa];
      const all = [certificate, ...above].filter((item) => typeof item === 'string');
      if (typeof certificate !== 'string' || all.length < 2)
        return refuse('unavailable', `${endpoint.origin}: its answer has no certificate and chain`);
      return outcome({ chainPem: all.map((pem) => `${pem.trim()}\n`).join('') });
    },
  };
}
