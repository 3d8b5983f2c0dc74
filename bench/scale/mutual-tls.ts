import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { IstioCertificateResponseSchema } from '#gen/gatehouse/ca/v1/istio_ca_pb.js';
import { createTokenIssuer, TOKEN_AUDIENCE, TOKEN_ISSUER, type TokenIssuer } from '../../cli/up/tokens.ts';
import { requestPem } from '../../test/ca/requests.ts';
import { createCertificate, session } from '../issuance/client.ts';
import { framedRequest } from '../issuance/evidence.ts';
import type { PlannedProxy } from '../mesh/plan.ts';
import type { Connect } from '../xds/orders.ts';
import type { Target } from './target.ts';

/** Who vouches for pods, as a Kubernetes API server would, and the server's flags to believe it. */
export interface Vouching {
  readonly tokens: TokenIssuer;
  readonly flags: readonly string[];
}

export async function vouching(dir: string): Promise<Vouching> {
  mkdirSync(dir, { recursive: true });
  const tokens = await createTokenIssuer(() => new Date());
  const jwks = join(dir, 'jwks.json');
  writeFileSync(jwks, tokens.jwks);
  return { tokens, flags: ['--jwks', jwks, '--token-issuer', TOKEN_ISSUER, '--token-audience', TOKEN_AUDIENCE] };
}

/** A certificate for each proxy, from the server that is measured. */
export async function certificatesFor(
  { gatehouse }: Target,
  { tokens }: Vouching,
  proxies: readonly PlannedProxy[],
): Promise<NonNullable<Connect['tls']>> {
  if (gatehouse === undefined) throw new RangeError('--tls needs a server of ours');
  const roots = readFileSync(gatehouse.rootCert, 'utf8');
  const over = await session(Number(gatehouse.grpc.split(':').at(-1)), roots);
  const certificates: { readonly cert: string; readonly key: string }[] = [];
  for (const { namespace, pod, serviceAccount } of proxies) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const uris = [`spiffe://cluster.local/ns/${namespace}/sa/${serviceAccount}`];
    const token = await tokens.issue({ namespace, name: pod, serviceAccount });
    const answer = await createCertificate(over, framedRequest(requestPem({ key: privateKey, uris })), token);
    const { certChain } = fromBinary(IstioCertificateResponseSchema, answer);
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    certificates.push({ cert: certChain.slice(0, -1).join(''), key });
  }
  over.close();
  return { roots, certificates };
}
