import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workloadSpiffeId } from '../../ca/identity/spiffe-id.ts';
import { parseTrustDomain } from '../../ca/identity/trust-domain.ts';
import { grpcSigner } from '../../sds/authority/client.ts';
import { newKey, requestFor } from '../../sds/identity/request.ts';
import type { RunningMesh } from './running-mesh.ts';

export interface CertificateWish {
  /** `host:port` of a control plane. */
  readonly target: string;
  /** A file. */
  readonly rootCert: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly token: string;
}

/** A certificate for a ServiceAccount, got by its token. Fails with what the authority says. */
export async function certificateFor({ target, rootCert, namespace, serviceAccount, token }: CertificateWish): Promise<{
  readonly chain: readonly string[];
  /** PEM. */
  readonly key: string;
}> {
  const trustDomain = parseTrustDomain('cluster.local');
  assert.ok(trustDomain.ok);
  const { key, csr } = await requestFor(workloadSpiffeId(trustDomain.value, namespace, serviceAccount), await newKey());
  const sign = grpcSigner({ target, serverName: 'gatehouse', timeoutMs: 10_000 });
  const call = { csr, ttlSeconds: 600, rootsPem: readFileSync(rootCert, 'utf8'), token };
  const answer = await sign(call, AbortSignal.timeout(10_000));
  assert.ok(answer.kind === 'signed', JSON.stringify(answer));
  return { chain: answer.certChain, key: key.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

/** A certificate of the mesh for a workload, got from its authority with the token of one of its pods. */
export async function meshCertificate(
  mesh: RunningMesh,
  namespace: string,
  serviceAccount: string,
  pod: string,
): Promise<{ cert: string; key: string }> {
  const { grpc, rootCert } = mesh.ready.controlPlane;
  const token = readFileSync(join(mesh.ready.runDir, 'tokens', `${namespace}.${pod}`), 'utf8').trim();
  const { chain, key } = await certificateFor({ target: grpc, rootCert, namespace, serviceAccount, token });
  return { cert: chain.join(''), key };
}
