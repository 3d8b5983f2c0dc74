import { create } from '@bufbuild/protobuf';
import { SecretSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import type { TrustBundle } from '../../ca/bundle.ts';
import { ROOTS } from '../../routing/tls/secrets.ts';
import { type EncodedResource, encodeResource } from '../resource-set.ts';

const composed = new WeakMap<TrustBundle, EncodedResource>();

/** A trust bundle as the secret that all proxies share. Bundles with the same roots and lists have the same version. */
export function trustResource(bundle: TrustBundle): EncodedResource {
  const known = composed.get(bundle);
  if (known !== undefined) return known;
  const inline = (text: string) => ({ specifier: { case: 'inlineBytes' as const, value: new TextEncoder().encode(text) } });
  const secret = create(SecretSchema, {
    name: ROOTS,
    type: {
      case: 'validationContext',
      value: {
        trustedCa: inline(bundle.rootsPem),
        // Lists of the authorities that issue to workloads. Those above them issue to nobody else, and have none.
        ...(bundle.crlPem !== undefined && { crl: inline(bundle.crlPem), onlyVerifyLeafCertCrl: true }),
      },
    },
  });
  const resource = encodeResource(SecretSchema, secret);
  composed.set(bundle, resource);
  return resource;
}
